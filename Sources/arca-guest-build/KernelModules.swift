import Foundation

/// The modules of the initrd: names and order from the list in `guest/modules`.
struct KernelModules {
  /// What arca-init reads: a name, and the kinds of TEE and parts of a manifest that need it, on
  /// each line.
  private(set) var list = ""
  /// File content by name, in loading order; packed where not every start needs it.
  private(set) var files: [(name: String, content: Data)] = []

  init(list text: String, kernel folder: URL) throws(BuildError) {
    // A kernel that has all within itself (guest/kernel.config) loads nothing.
    if Disk.find(folder, { $0.contains(".ko") }).isEmpty { return }
    var loaded: Set<String> = []
    for line in text.split(separator: "\n") {
      let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
      guard let name = words.first else { continue }
      guard let file = Self.file(name, in: folder) else {
        throw BuildError(.module, "the kernel has no module \(name)")
      }
      let content = try Self.stripped(file)
      for need in try Self.dependencies(content) where !loaded.contains(need) {
        throw BuildError(.module, "\(name) needs \(need), which must be listed before it")
      }
      loaded.insert(Self.canonical(name))
      list += words.joined(separator: " ") + "\n"
      files.append((name, words.count > 1 ? try Self.packed(content) : content))
    }
  }

  private static func file(_ name: String, in folder: URL) -> URL? {
    Disk.find(folder) { $0.hasPrefix("\(name).ko") }.first
  }

  /// What of a module serves BPF and unwinding alone, or a defence that has to be asked for on the
  /// command line (`retbleed=stuff`).
  private static let unneeded = [
    ".orc_*", ".BTF", "__patchable_function_entries", ".call_sites", ".comment", ".note*",
  ]

  /// Unpacked, with the symbols that loading needs alone, and without what is ``unneeded``: each
  /// byte costs time at every start.
  private static func stripped(_ file: URL) throws(BuildError) -> Data {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Disk.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let module = folder.appending(path: "module.ko")
    switch file.pathExtension {
    case "xz": try Disk.write(try Tool.run(["xz", "-dc", file.path]), to: module)
    case "zst": try Disk.write(try Tool.run(["zstd", "-q", "-dc", file.path]), to: module)
    default: try Disk.write(try Disk.read(file), to: module)
    }
    let sections = Self.unneeded.flatMap { ["-R", $0, "-R", ".rela" + $0] }
    _ = try Tool.run(["objcopy", "--strip-unneeded"] + sections + [module.path])
    return try Disk.read(module)
  }

  /// As the kernel unpacks it: its decoder of xz knows this check alone.
  private static func packed(_ content: Data) throws(BuildError) -> Data {
    try Tool.run(
      ["xz", "-9", "-c", "--threads=1", "--check=crc32", "--lzma2=dict=1MiB"], input: content)
  }

  private static func dependencies(_ module: Data) throws(BuildError) -> [String] {
    let key = Data("\0depends=".utf8)
    guard let found = module.range(of: key) else { return [] }
    let value = module[found.upperBound...].prefix { $0 != 0 }
    return String(decoding: value, as: UTF8.self).split(separator: ",").map {
      canonical(String($0))
    }
  }

  /// The kernel treats `-` and `_` in a module's name as one.
  private static func canonical(_ name: String) -> String {
    name.replacing("-", with: "_")
  }
}
