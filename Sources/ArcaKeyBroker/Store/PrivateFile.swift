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
  ///
  /// The whole of it is on disk under its name, or nothing is.
  public static func write(_ content: [UInt8], to path: String) throws(KeyBrokerError) {
    let temporary = path + ".new"
    let handle = try create(temporary)
    do {
      try handle.write(contentsOf: Data(content))
      try handle.synchronize()
      try handle.close()
      try publish(temporary, as: path)
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw error as? KeyBrokerError
        ?? KeyBrokerError(.keyFile, "\(path): cannot be written: \(error)")
    }
  }

  /// Gives the finished file `temporary` its name, which nothing has yet, and puts that on disk.
  static func publish(_ temporary: String, as path: String) throws {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw KeyBrokerError(.keyFile, "\(path): exists already and is not replaced")
    }
    try FileManager.default.moveItem(atPath: temporary, toPath: path)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard let handle = FileHandle(forReadingAtPath: folder) else {
      throw KeyBrokerError(.keyFile, "\(folder): cannot be opened")
    }
    try handle.synchronize()
    try handle.close()
  }
}
