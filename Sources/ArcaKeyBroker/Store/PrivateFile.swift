import Foundation

/// Files that only their owner may read.
public enum PrivateFile {
  /// The content of `path`, refused where group or others have any right to it.
  public static func read(_ path: String) throws(KeyBrokerError) -> Data {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let mode = attributes[.posixPermissions] as? NSNumber
    else { throw KeyBrokerError(.keyFile, "\(path): cannot be read") }
    guard mode.uint16Value & 0o077 == 0 else {
      throw KeyBrokerError(
        .keyFile, "\(path): mode \(String(mode.uint16Value, radix: 8)), expected 600; chmod it")
    }
    guard let content = FileManager.default.contents(atPath: path) else {
      throw KeyBrokerError(.keyFile, "\(path): cannot be read")
    }
    return content
  }

  /// Writes `content` to a new file with mode 0600; an existing one is not replaced.
  public static func write(_ content: [UInt8], to path: String) throws(KeyBrokerError) {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw KeyBrokerError(.keyFile, "\(path): exists already and is not replaced")
    }
    guard
      FileManager.default.createFile(
        atPath: path, contents: Data(content), attributes: [.posixPermissions: 0o600])
    else { throw KeyBrokerError(.keyFile, "\(path): cannot be written") }
    if let handle = FileHandle(forWritingAtPath: path) {
      try? handle.synchronize()
      try? handle.close()
    }
  }
}
