import CArcaHost
import Glibc

/// virtiofsd, which serves a shared folder of the host to QEMU's device.
package enum FolderServer {
  /// Debian 13's, of the package virtiofsd, and Debian 12's, which comes with QEMU.
  package static let programs = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"]

  private static let sockets = "/dev"
  private static let descriptor = 3

  /// Where QEMU connects to the server of folder `index`.
  static func socket(_ index: Int) -> String { "\(sockets)/folder-\(index)" }

  private static func isThere(_ path: String) -> Bool {
    guard let file = try? System.open(path) else { return false }
    close(file)
    return true
  }

  /// Starts the server of folder `index`, which dies with the caller and says what fails to `log`.
  static func start(_ index: Int, log: Int32) throws(TEEError) {
    guard let program = programs.first(where: isThere) else {
      throw TEEError(.vmm, "\(programs.joined(separator: ", ")): found none of them")
    }
    // It listens already when QEMU connects.
    let listener = try System.listen(in: sockets, "folder-\(index)")
    defer { close(listener) }
    _ = fcntl(listener, F_SETFL, 0)
    let folder = OuterPath.folder(index)
    let options =
      program == programs[0]
      ? ["--shared-dir=\(folder)", "--sandbox=chroot"]
      : ["-f", "-o", "source=\(folder),sandbox=chroot"]
    _ = try System.spawn(
      [program, "--fd=\(descriptor)", "--rlimit-nofile=0"] + options,
      environment: ["PATH=/usr/bin", "LC_ALL=C"],
      descriptors: [-1, log, log, listener], flags: Int(ARCA_SPAWN_DIE_WITH_PARENT))
  }
}
