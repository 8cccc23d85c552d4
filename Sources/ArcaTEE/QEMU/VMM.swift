import CArcaHost
import Glibc

/// A running QEMU: the launcher's ends of its channel and console, and its process.
struct VMM {
  let pid: Int32
  let channel: Int32
  /// The serial console and QEMU's own standard output and error.
  let console: Int32

  /// Executes QEMU, which dies with the caller.
  init(arguments: [String]) throws(TEEError) {
    let (channel, channelInside) = try System.socketPair()
    let (console, consoleInside) = try System.socketPair()
    defer {
      close(channelInside)
      close(consoleInside)
    }
    do {
      pid = try System.spawn(
        arguments, environment: ["PATH=/usr/bin", "LC_ALL=C"],
        descriptors: [-1, consoleInside, consoleInside, channelInside, consoleInside],
        flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
    } catch {
      throw TEEError(.vmm, "QEMU: \(error.detail)", systemError: error.systemError)
    }
    self.channel = channel
    self.console = console
  }

  func kill() {
    Glibc.kill(pid, SIGKILL)
  }
}
