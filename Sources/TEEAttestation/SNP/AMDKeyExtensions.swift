import TEEEvidence

/// What AMD certifies about a VCEK or VLEK (AMD 57230, certificate extensions).
struct AMDKeyExtensions {
  /// Content octets of 1.3.6.1.4.1.3704.1, under which AMD's extensions are.
  static let arc: [UInt8] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x9C, 0x78, 0x01]

  /// Product name, such as `Milan-B0`.
  let productName: String
  /// Security version numbers by the last arc of their identifier: 1 boot loader, 2 TEE, 3 SNP,
  /// 4 to 7 reserved, 8 microcode, 9 FMC.
  let versions: [UInt8: UInt8]
  /// The chip's identity: 64 bytes, 8 on Turin; nil in a VLEK.
  let hardwareID: [UInt8]?
  /// The cloud provider that a VLEK was issued to; nil in a VCEK.
  let providerID: String?

  /// Reads the extensions of `certificate`.
  init(_ certificate: X509Certificate) throws(AttestationError) {
    var product: String?
    var versions: [UInt8: UInt8] = [:]
    var hardware: [UInt8]?
    var provider: String?
    for item in certificate.extensions where item.oid.starts(with: Self.arc) {
      let tail = item.oid.dropFirst(Self.arc.count)
      var value = DERReader(item.value)
      if tail == [2] {
        product = try Self.word(&value)
      } else if tail == [4] {
        hardware = item.value
      } else if tail == [5] {
        provider = try Self.word(&value)
      } else if tail.first == 3, tail.count == 2, let last = tail.last {
        let number = try value.smallInteger()
        try value.expectEnd()
        guard let version = UInt8(exactly: number) else {
          throw AttestationError(.malformed, "VCEK: security version number \(number)")
        }
        versions[last] = version
      }
    }
    guard let product else {
      throw AttestationError(.malformed, "VCEK: no productName extension")
    }
    productName = product
    self.versions = versions
    hardwareID = hardware
    providerID = provider
  }

  /// Whether `certificate` carries AMD's extensions at all, as only a VCEK or VLEK does.
  static func arePresent(in certificate: X509Certificate) -> Bool {
    certificate.extensions.contains { $0.oid.starts(with: arc) }
  }

  /// The product line that ``productName`` belongs to: what is before the stepping.
  var product: SNPProduct? {
    SNPProduct.allCases.first {
      productName.split(separator: "-").first.map(String.init) == $0.name
    }
  }

  /// The TCB version that the key was derived for; what is not certified is 0.
  func tcb(_ product: SNPProduct) -> SNPTCBVersion {
    SNPTCBVersion(
      fmc: versions[9] ?? 0, bootloader: versions[1] ?? 0, tee: versions[2] ?? 0,
      snp: versions[3] ?? 0, microcode: versions[8] ?? 0, product: product)
  }

  private static func word(_ reader: inout DERReader) throws(AttestationError) -> String {
    let content = try reader.element(DERReader.Tag.ia5String).content
    try reader.expectEnd()
    return String(decoding: reader.bytes[content], as: UTF8.self)
  }
}

extension SNPProduct {
  /// The name that AMD's certificates and key distribution service use.
  public var name: String {
    switch self {
    case .milan: return "Milan"
    case .genoa: return "Genoa"
    case .turin: return "Turin"
    }
  }
}
