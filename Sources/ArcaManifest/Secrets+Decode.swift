import ArcaBytes

extension KeyBrokerAccess {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let url = try fields.text("url", max: 512)
    guard BrokerAddress(url: url) != nil else { throw fields.fault(.value, "url") }
    var publicKeys: [[UInt8]] = []
    for item in try fields.array("publicKeys", max: 4) {
      guard case .bytes(let digest) = item, digest.count == 32 else {
        throw fields.fault(.value, "publicKeys")
      }
      publicKeys.append(digest)
    }
    guard !publicKeys.isEmpty else { throw fields.fault(.value, "publicKeys") }
    try fields.expectEnd()
    self.init(url: url, publicKeys: publicKeys)
  }
}

extension Secret {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let resource = try fields.resource("resource")
    let target: Target
    if let name = try fields.optionalText("env", max: 1024) {
      guard !name.utf8.isEmpty, !name.utf8.contains(UInt8(ascii: "=")) else {
        throw fields.fault(.value, "env")
      }
      target = .variable(name)
    } else {
      target = .file(
        path: try fields.cleanPath("path"),
        mode: UInt32(try fields.unsigned("mode", max: 0o777)),
        uid: UInt32(try fields.unsigned("uid", max: 0xffff_fffe)),
        gid: UInt32(try fields.unsigned("gid", max: 0xffff_fffe)))
    }
    try fields.expectEnd()
    self.init(resource: resource, target: target)
  }
}

extension EncryptedVolume {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    let name = try fields.text("name", max: 63)
    guard EncryptedVolume.isName(name) else { throw fields.fault(.value, "name") }
    let destination = try fields.cleanPath("destination")
    let key = try fields.resource("key")
    let isReadOnly = try fields.bool("readOnly")
    try fields.expectEnd()
    self.init(name: name, destination: destination, key: key, isReadOnly: isReadOnly)
  }

  /// Whether `name` is 1 to 63 of `a`…`z`, `0`…`9`, `-`, and does not start with `-`.
  public static func isName(_ name: String) -> Bool {
    let utf8 = Array(name.utf8)
    guard let first = utf8.first, first != UInt8(ascii: "-"), utf8.count <= 63 else { return false }
    return utf8.allSatisfy {
      ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
        || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || $0 == UInt8(ascii: "-")
    }
  }
}

extension WorkloadRules {
  init(_ source: FieldReader) throws(ManifestError) {
    var fields = source
    self.init()
    getEvidence = try fields.bool("getEvidence")
    getToken = try fields.bool("getToken")
    getResources = try fields.texts("getResources", max: 64, bytesMax: 512)
    try fields.expectEnd()
    guard !allowsNothing else { throw fields.fault(.value, "getEvidence") }
  }
}
