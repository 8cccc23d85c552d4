import CArcaHost
import Glibc

extension System {
  /// A listening socket `name` in the folder `folder`.
  package static func listen(in folder: String, _ name: String) throws(TEEError) -> Int32 {
    // SAFETY: both strings live through the call.
    let result = unsafe arca_listen(folder, name)
    guard result >= 0 else {
      throw TEEError(.system, "listen on \(folder)/\(name)", systemError: -result)
    }
    return result
  }

  /// A connection to the socket `name` in the folder `folder`.
  package static func connect(in folder: String, _ name: String) throws(TEEError) -> Int32 {
    // SAFETY: both strings live through the call.
    let result = unsafe arca_connect(folder, name)
    guard result >= 0 else {
      throw TEEError(.system, "connect to \(folder)/\(name)", systemError: -result)
    }
    return result
  }

  /// A new terminal, whose controlling side goes to the engine that listens at `path`.
  package static func openConsole(
    _ path: String, rows: UInt16, columns: UInt16
  ) throws(TEEError) -> Int32 {
    // SAFETY: the string lives through the call.
    let result = unsafe arca_console_open(path, Int32(rows), Int32(columns))
    guard result >= 0 else {
      throw TEEError(.system, "console socket \(path)", systemError: -result)
    }
    return result
  }
}
