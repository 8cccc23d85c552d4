import Foundation
import Glibc

extension PrivateFile {
  /// Makes the empty file `path` with mode 0600, in place of what a killed process left there.
  ///
  /// `FileManager` would make a file of another name first, which nothing would find after a kill.
  static func create(_ path: String) throws(KeyBrokerError) -> FileHandle {
    try? FileManager.default.removeItem(atPath: path)
    // SAFETY: the string lives through the call.
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw KeyBrokerError(.keyFile, "\(path): cannot be made")
    }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }
}
