import ArcaBytes
import ArcaTEE
import Crypto
import Foundation

/// QEMU and firmware of a newer Debian suite, unpacked beneath Arca's data folder.
///
/// The system stays as it is: apt runs with sources, lists and package state of its own, nothing is
/// installed, and QEMU runs through the dynamic loader of its own suite. A tree is made aside and
/// renamed when it is whole; `index` names the one in use, so a crash leaves the old one or none.
public struct ToolTree: Sendable {
  /// One unpacked tree.
  public struct Tools: Sendable {
    /// Its folder.
    public let folder: String
    /// What went into it.
    public let record: Record

    /// How its QEMU is executed where the tree is at `root`.
    func vmm(at root: String) -> [String] {
      [
        root + "/" + record.loader, "--library-path",
        record.libraries.map { "\(root)/\($0)" }
          .joined(separator: ":"), root + "/usr/bin/qemu-system-x86_64", "-L",
        root + "/usr/share/qemu", "-L", root + "/usr/share/seabios",
      ]
    }

    /// How its QEMU is executed on the host.
    var vmm: [String] { vmm(at: folder) }
  }

  /// `tools.json` of a tree.
  public struct Record: Sendable, Codable {
    /// A Debian package whose files are in the tree.
    public struct Package: Sendable, Codable {
      /// The package's file name, which holds its version.
      public let file: String
      /// SHA-256 of the package.
      public let sha256: String
    }

    /// The Debian suite.
    public let suite: String
    /// The packages.
    public let packages: [Package]
    /// The dynamic loader, beneath the tree.
    public let loader: String
    /// The folders with libraries, beneath the tree.
    public let libraries: [String]
  }

  let base: String
  static let libraryFolder = "usr/lib/x86_64-linux-gnu"

  /// The trees of `installation`.
  public init(_ installation: Installation) { base = installation.data + "/tools" }

  /// The trees in the folder `base`.
  package init(base: String) { self.base = base }

  /// The tree in use, or nil where there is none that is whole.
  public var current: Tools? {
    guard let name = try? String(contentsOfFile: base + "/index", encoding: .utf8),
      let data = FileManager.default.contents(atPath: "\(base)/\(name)/tools.json"),
      let record = try? JSONDecoder().decode(Record.self, from: data)
    else { return nil }
    let tools = Tools(folder: "\(base)/\(name)", record: record)
    return isAccessible("\(tools.folder)/usr/bin/qemu-system-x86_64", X_OK) ? tools : nil
  }

  /// The tree in use, fetched where there is none or `anew` is set; `progress` hears of each step.
  public func fetch(
    anew: Bool = false, progress: (String) -> Void
  ) throws(RuntimeError) -> Tools {
    try makeFolder(base, mode: 0o755)
    let lock = try lockFile(base + "/lock")
    defer { close(lock) }
    if !anew, let current { return current }
    sweep(keeping: current?.folder)
    let name = "tree-\(UUID().uuidString.prefix(8))"
    let staging = "\(base)/.new-\(name)"
    defer { try? FileManager.default.removeItem(atPath: staging) }
    try makeFolder(staging + "/tree", mode: 0o755)
    let apt = try PrivateApt(folder: staging + "/apt", progress: progress)
    let packages = try apt.download(
      ["qemu-system-x86", "ovmf-amdsev", "ovmf-inteltdx"], progress: progress)
    progress("unpacking \(packages.count) packages")
    for package in packages {
      _ = try runTool(["/usr/bin/dpkg-deb", "--extract", package, staging + "/all"])
    }
    let record = try fill(staging + "/tree", from: staging + "/all", apt.suite, packages)
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      try System.replace(staging + "/tree/tools.json", with: Array(try encoder.encode(record)))
      _ = try runTool(
        Tools(folder: staging + "/tree", record: record).vmm + ["--version"])
      try renameFile(staging + "/tree", "\(base)/\(name)")
      try System.replace(base + "/index", with: Array(name.utf8))
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(base): the tools cannot be written: \(error)")
    }
    sweep(keeping: "\(base)/\(name)")
    guard let current else {
      throw RuntimeError(.state, "\(base)/\(name): fetched, but not whole; run it again")
    }
    return current
  }

  /// Removes what is not in use; containers that run have their files open still.
  private func sweep(keeping kept: String?) {
    for name in System.names(in: base)
    where name.hasPrefix(".new-") || name.hasPrefix("tree-") {
      if "\(base)/\(name)" != kept {
        try? FileManager.default.removeItem(atPath: "\(base)/\(name)")
      }
    }
  }

  /// Copies QEMU, its modules, what the loader finds for them, and firmware.
  private func fill(
    _ tree: String, from all: String, _ suite: String, _ packages: [String]
  ) throws(RuntimeError) -> Record {
    let library = Self.libraryFolder
    let loader = "\(library)/ld-linux-x86-64.so.2"
    let vmm = "usr/bin/qemu-system-x86_64"
    var kept = [vmm, loader]
    let modules = System.names(in: "\(all)/\(library)/qemu").filter {
      $0.hasPrefix("accel-") && $0.hasSuffix(".so")
    }
    kept += modules.map { "\(library)/qemu/\($0)" }
    var libraries: [String] = []
    for program in [vmm] + modules.map({ "\(library)/qemu/\($0)" }) {
      let listed = try runTool([
        "\(all)/\(loader)", "--library-path", "\(all)/\(library)", "--list", "\(all)/\(program)",
      ])
      for word in listed.split(whereSeparator: { " \n\t".contains($0) })
      where word.hasPrefix("\(all)/\(library)/") {
        libraries.append(String(word.dropFirst(all.count + 1)))
      }
    }
    kept += Set(libraries).subtracting(kept).sorted()
    kept += ["usr/share/qemu", "usr/share/seabios", "usr/share/ovmf", "usr/share/OVMF"]
    do {
      for path in kept where isAccessible("\(all)/\(path)", F_OK) {
        let target = URL(fileURLWithPath: "\(tree)/\(path)")
        try FileManager.default.createDirectory(
          at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          at: URL(fileURLWithPath: "\(all)/\(path)").resolvingSymlinksInPath(), to: target)
      }
      return Record(
        suite: suite, packages: try packages.map(Self.package), loader: loader,
        libraries: [library])
    } catch let error as RuntimeError {
      throw error
    } catch {
      throw RuntimeError(.state, "\(tree): cannot be filled: \(error)")
    }
  }

  private static func package(_ path: String) throws -> Record.Package {
    let content = try Data(contentsOf: URL(fileURLWithPath: path))
    return Record.Package(
      file: URL(fileURLWithPath: path).lastPathComponent,
      sha256: Hex.encode(Array(SHA256.hash(data: content))))
  }
}
