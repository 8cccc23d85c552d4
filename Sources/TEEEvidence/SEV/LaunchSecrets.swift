import ArcaBytes

/// What the owner of a SEV or SEV-ES guest gave with the launch: contents by resource path.
///
/// One entry of the table that LAUNCH_SECRET wrote into the guest's memory, in deterministic CBOR:
/// a map from `repository/type/tag` to bytes.
public struct LaunchSecrets: Sendable {
  /// The entry's GUID, by which Linux names its file.
  public static let guid: Text = "379975da-0f65-4ef7-a5a3-82666c490eee"
  /// OVMF keeps this many bytes for the whole table (AmdSevX64.fdf, SevLaunchSecret).
  public static let bytesMax = 3072

  private var contents: [(path: [UInt8], content: [UInt8])] = []

  /// Reads the entry's content.
  public init(decoding bytes: [UInt8]) throws(EvidenceError) {
    guard bytes.count <= Self.bytesMax else { throw EvidenceError(.tooLarge, "launch secrets") }
    guard case .map(let entries)? = try? CBOR.decode(bytes) else {
      throw EvidenceError(.invalid, "launch secrets")
    }
    for entry in entries {
      guard case .bytes(let content) = entry.value else {
        throw EvidenceError(.invalid, "launch secret")
      }
      contents.append((entry.key, content))
    }
  }

  /// What the owner gave for the resource at `path`, or nil.
  public subscript(path: [UInt8]) -> [UInt8]? {
    contents.first { $0.path == path }?.content
  }

  /// The entry's content from the securityfs at `root`, removed there once it is read: with the
  /// file the kernel wipes the memory behind it (Linux, `Documentation/security/secrets/coco.rst`).
  public static func take<Files: TSMFiles>(
    at root: Text, _ files: inout Files
  ) throws(Files.Failure) -> [UInt8] {
    let path: Text = "\(root)/secrets/coco/\(guid)"
    let content = try files.read(path, bytesMax: bytesMax + 1)
    try files.removeFile(path)
    return content
  }
}
