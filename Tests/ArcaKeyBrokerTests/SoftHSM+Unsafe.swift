import ArcaKeyBroker
import Foundation

/// A folder of SoftHSM's with one token, `arca test`.
enum SoftHSM {
  static let module = "/usr/lib/softhsm/libsofthsm2.so"
  static var isRun: Bool {
    FileManager.default.fileExists(atPath: module)
      || ProcessInfo.processInfo.environment["CI"] != nil
  }

  static let folder: String? = try? make()

  private static func make() throws -> String {
    let folder = NSTemporaryDirectory() + "/arca-token-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: folder + "/tokens", withIntermediateDirectories: true)
    try PrivateFile.write(
      Array("directories.tokendir = \(folder)/tokens\nobjectstore.backend = file\n".utf8),
      to: folder + "/softhsm2.conf")
    try PrivateFile.write(Array("4711\n".utf8), to: folder + "/pin")
    try PrivateFile.write(Array("1111\n".utf8), to: folder + "/wrong")
    // SAFETY: both strings live through the call; it is made once, before the module is loaded.
    unsafe setenv("SOFTHSM2_CONF", folder + "/softhsm2.conf", 1)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/softhsm2-util")
    process.arguments = [
      "--init-token", "--free", "--label", "arca test", "--pin", "4711", "--so-pin", "1234",
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return folder
  }
}
