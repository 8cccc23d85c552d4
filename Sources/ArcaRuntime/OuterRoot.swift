import ArcaTEE
import Foundation

/// The root file system of every outer container: QEMU, what it loads, and the launcher.
///
/// Made once for each set of source files, and recognised by their paths, sizes and times, so that
/// an upgrade of QEMU makes a new one.
struct OuterRoot {
  /// QEMU's translator is a module on Debian; other builds have it linked in.
  private static let modules = ["/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so"]
  /// What only serves to mount upon.
  private static let folders =
    [
      "/arca/gramine", "/arca/guest", "/arca/job", "/arca/root", "/arca/tools", "/dev", "/etc",
      "/proc", "/run/arca", "/sys", OuterPath.enclaveService,
    ] + (0..<LaunchDescription.foldersMax).map(OuterPath.folder)
  private static let files =
    ["/arca/firmware", "/arca/key", "/arca/qgs", "/arca/rootfs"] + OuterContainer.resolverFiles
    + (0..<LaunchDescription.volumesMax).map(OuterPath.volume)

  private static let prefix = "root-"
  private static let unfinished = ".new-"

  private let base: String
  private let launcher: String
  /// What builds enclaves, where Gramine is installed: its libraries have to be there.
  private let enclaveLoader: String?
  /// What serves shared folders, where it is installed.
  private let folderServer: String?

  init(_ installation: Installation) {
    base = installation.data + "/vmm"
    enclaveLoader = Gramine.find(for: .sgx).map { "\($0.folder)/\(GramineParts(.sgx).loader)" }
    folderServer = FolderServer.programs.first { isAccessible($0, X_OK) }
    launcher = installation.launcher
  }

  /// The folder, made where it is not there yet.
  func prepare() throws(RuntimeError) -> String {
    if let path = current() { return path }
    try makeFolder(base)
    let lock = try lockFile(base + "/lock")
    defer { close(lock) }
    if let path = current() { return path }
    return try make()
  }

  /// The root that the index names, where its sources are as they were.
  private func current() -> String? {
    var lines = index()
    guard let name = lines.popLast(), lines.first == stamp(launcher) else { return nil }
    for line in lines {
      guard let path = line.split(separator: "\t").first, stamp(String(path)) == line else {
        return nil
      }
    }
    for part in [enclaveLoader, folderServer].compactMap(\.self) {
      guard lines.contains(where: { $0 == stamp(part) }) else { return nil }
    }
    let root = base + "/" + name
    return isAccessible(root, F_OK) ? root : nil
  }

  /// The stamps of the sources, and last the root's name; empty where there is none yet.
  private func index() -> [String] {
    let text = try? String(contentsOfFile: base + "/index", encoding: .utf8)
    return (text ?? "").split(separator: "\n").map(String.init)
  }

  private func stamp(_ path: String) -> String? {
    guard let status = fileStatus(path) else { return nil }
    return "\(path)\t\(status.size)\t\(status.modifiedNanoseconds)\t\(status.inode)"
  }

  private func make() throws(RuntimeError) -> String {
    let vmm = OuterPath.vmm
    guard stamp(launcher) != nil else {
      throw RuntimeError(
        .installation, "\(launcher): not found; expected the launcher there: run `make build`")
    }
    guard stamp(vmm) != nil else {
      throw RuntimeError(
        .installation, "\(vmm): not found; install QEMU (Debian: qemu-system-x86)")
    }
    let programs =
      [launcher, vmm] + Self.modules.filter { stamp($0) != nil }
      + [enclaveLoader, folderServer].compactMap(\.self)
    var sources = programs + BootedFiles.simulatedFirmwarePaths
    for path in try libraries(of: programs) where !sources.contains(path) {
      sources.append(path)
    }
    let name = "\(Self.prefix)\(UUID().uuidString.prefix(8))"
    removeOld()
    let unfinished = "\(base)/\(Self.unfinished)\(name)"
    do {
      try copy(sources, to: unfinished)
      try synchronizeFileSystem(of: unfinished)
      let lines = sources.compactMap(stamp) + [name]
      let index = Array((lines.joined(separator: "\n") + "\n").utf8)
      try System.replace(base + "/index", with: index)
      try renameFile(unfinished, "\(base)/\(name)")
    } catch {
      try? FileManager.default.removeItem(atPath: unfinished)
      throw RuntimeError(.installation, "\(base)/\(name): cannot be filled: \(error)")
    }
    return "\(base)/\(name)"
  }

  /// Removes what a killed process left, and earlier roots that no container is in.
  ///
  /// The one that has been the newest so far stays: somebody may be about to use it.
  private func removeOld() {
    let kept = index().last
    let names = System.names(in: base)
    var old = names.filter { $0.hasPrefix(Self.prefix) && $0 != kept }
    for process in System.names(in: "/proc") where !old.isEmpty && Int(process) != nil {
      let path = "/proc/\(process)/mountinfo"
      guard let mounts = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
      old.removeAll { mounts.contains("/\($0) ") }
    }
    // A root gets its name last.
    for name in old + names.filter({ $0.hasPrefix(Self.unfinished) }) {
      try? FileManager.default.removeItem(atPath: "\(base)/\(name)")
    }
  }

  private func copy(_ sources: [String], to root: String) throws {
    let manager = FileManager.default
    for source in sources {
      let target = URL(fileURLWithPath: root + (source == launcher ? OuterPath.launcher : source))
      try manager.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try manager.copyItem(at: URL(fileURLWithPath: source).resolvingSymlinksInPath(), to: target)
    }
    for folder in Self.folders {
      try manager.createDirectory(
        atPath: root + folder, withIntermediateDirectories: true)
    }
    for file in Self.files { try Data().write(to: URL(fileURLWithPath: root + file)) }
  }

  /// What the dynamic loader would load for `programs`, itself included.
  private func libraries(of programs: [String]) throws(RuntimeError) -> [String] {
    var paths: [String] = []
    for program in programs {
      for line in try runTool(["/usr/bin/ldd", program]).split(separator: "\n") {
        guard let path = line.split(separator: " ").first(where: { $0.contains("/") }) else {
          continue
        }
        let text = path.trimmingCharacters(in: .whitespaces)
        if !paths.contains(text) { paths.append(text) }
      }
    }
    return paths
  }
}
