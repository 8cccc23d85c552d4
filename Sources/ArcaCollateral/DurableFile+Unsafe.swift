import Foundation
import TEEAttestation

/// Files that are there whole or not at all, whatever happens to this process.
enum DurableFile {
  /// Writes `content` beside `path`, makes it durable, and renames it to `path`.
  static func write(_ content: [UInt8], to path: String) throws(AttestationError) {
    let folder = (path as NSString).deletingLastPathComponent
    let temporary =
      "\(path).\(ProcessInfo.processInfo.processIdentifier).\(UInt32.random(in: 0 ... .max))"
    do {
      try FileManager.default.createDirectory(
        atPath: folder.isEmpty ? "." : folder, withIntermediateDirectories: true)
      guard FileManager.default.createFile(atPath: temporary, contents: nil),
        let handle = FileHandle(forWritingAtPath: temporary)
      else { throw AttestationError(.inputOutput, "\(temporary): cannot be made") }
      try handle.write(contentsOf: Data(content))
      try handle.synchronize()
      try handle.close()
    } catch let error as AttestationError {
      throw error
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw AttestationError(.inputOutput, "\(path): cannot be written: \(error)")
    }
    // SAFETY: both arguments are NUL-terminated for the length of the call, which keeps neither.
    guard unsafe rename(temporary, path) == 0 else {
      let code = errno
      try? FileManager.default.removeItem(atPath: temporary)
      throw AttestationError(.inputOutput, "\(path): cannot be replaced (errno \(code))")
    }
  }
}
