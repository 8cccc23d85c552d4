import ArcaManifest
import ArcaOCI
import ArcaTEE
import Foundation

/// What becomes of each mount of a bundle (docs/oci-runtime.md, "Mounts").
package struct BundleMounts {
  private static let filesBytesMax = 768 << 10
  /// File systems of the kernel that the guest makes for itself.
  private static let kernelTypes: Set<String> = [
    "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs", "securityfs", "bpf",
    "debugfs", "tracefs",
  ]
  /// Mounts that engines make by themselves, and of which a guest has its own or no need.
  private static let left: Set<String> = [
    "/dev", "/dev/shm", "/dev/mqueue", "/dev/pts", "/proc", "/sys", "/sys/fs/cgroup", "/run",
    "/run/.containerenv", "/run/secrets", "/etc/passwd", "/etc/group", "/dev/console",
    "/dev/termination-log",
  ]
  private static let engineFiles: Set<String> = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]

  /// File systems in memory, part of a derived manifest.
  private(set) package var temporary: [TemporaryMount] = []
  /// Files that the host hands in.
  private(set) package var files: [HostFile] = []
  /// Folders that the guest mounts, and where.
  private(set) package var folders: [(shared: SharedFolder, path: String)] = []

  /// Sorts the mounts of `spec`, refusing what neither a rule nor the table has a place for.
  ///
  /// - Parameters:
  ///   - mounts: The bundle's mounts.
  ///   - rules: What the manifest lets the host do.
  ///   - isDerived: Whether the mounts of file systems in memory go into a derived manifest.
  /// - Throws: ``RuntimeError``, with the line of a manifest that would allow it.
  package init(
    _ mounts: [BundleSpec.Mount], rules: HostRules, isDerived: Bool
  ) throws(RuntimeError) {
    var bytesLeft = Self.filesBytesMax
    for mount in mounts {
      let destination = URL(fileURLWithPath: mount.destination).standardizedFileURL.path
      let type = mount.type ?? "bind"
      let isBind =
        type == "bind" || (mount.options ?? []).contains { $0 == "bind" || $0 == "rbind" }
      if !isBind, Self.kernelTypes.contains(type) { continue }
      if isBind, Self.engineFiles.contains(destination), let source = mount.source {
        try copy(source, destination, &bytesLeft)
        continue
      }
      if Self.left.contains(destination) { continue }
      if type == "tmpfs", !isBind {
        if isDerived { temporary.append(try Self.temporary(mount, destination)) }
        continue
      }
      guard isBind, let source = mount.source else {
        throw RuntimeError(
          .unsupported, "mount \(destination): a guest cannot mount a \(type) of the host's")
      }
      if rules.shareFolders.contains(where: { Self.covers($0, destination) }),
        isFolder(source) == true
      {
        let options = mount.options ?? []
        let shared = SharedFolder(
          source: source, isReadOnly: options.contains("ro"),
          isRecursive: options.contains("rbind"))
        folders.append((shared, destination))
      } else if rules.writeFiles.contains(where: { Self.covers($0, destination + "/") }) {
        try copyTree(source, destination, &bytesLeft)
      } else if !Self.isAnonymousVolume(source) {
        throw RuntimeError(
          .manifest,
          "mount \(destination) of the host's \(source): no rule of the manifest allows it; "
            + "`hostMay: {writeFiles: [\"\(destination)/*\"]}` would let its files be copied in, "
            + "`hostMay: {shareFolders: [\"\(destination)\"]}` would let it be shared, both as "
            + "untrusted input; without a manifest, the annotation dev.arca.share-folders does the "
            + "latter")
      }
    }
    guard folders.count <= HostFolder.countMax else {
      throw RuntimeError(
        .unsupported,
        "mounts: \(folders.count) folders to share, expected at most \(HostFolder.countMax)")
    }
  }

  /// `files`, with what those that engines write for every container hold now.
  package static func renewed(
    _ files: [HostFile], by mounts: [BundleSpec.Mount]
  ) throws(RuntimeError) -> [HostFile] {
    let engines = try BundleMounts(
      mounts.filter { engineFiles.contains($0.destination) }, rules: HostRules(), isDerived: false)
    return files.map { file in engines.files.last { $0.path == file.path } ?? file }
  }

  /// Whether `path`, or with a slash at its end what is beneath it, falls under `pattern`.
  private static func covers(_ pattern: String, _ path: String) -> Bool {
    pattern == path || pattern + "/" == path
      || (pattern.hasSuffix("*") && path.hasPrefix(pattern.dropLast()))
  }

  /// Whether `source` is a volume that an engine made because the image's configuration names one,
  /// and nobody else: the guest then keeps those files where it keeps all others.
  private static func isAnonymousVolume(_ source: String) -> Bool {
    var parts = source.split(separator: "/")
    if parts.last == "_data" { parts.removeLast() }
    guard let name = parts.popLast(), parts.last == "volumes" else { return false }
    return name.count == 64 && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
  }

  private static func temporary(
    _ mount: BundleSpec.Mount, _ destination: String
  ) throws(RuntimeError) -> TemporaryMount {
    var result = TemporaryMount(destination: destination, sizeBytes: 64 << 20, mode: 0o1777)
    for option in mount.options ?? [] {
      let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { continue }
      if pair[0] == "mode", let mode = UInt32(pair[1], radix: 8) { result.mode = mode & 0o7777 }
      if pair[0] == "size" {
        let digits = pair[1].prefix(while: \.isNumber)
        let shifts: [String: UInt64] = ["": 0, "k": 10, "m": 20, "g": 30]
        guard let number = UInt64(digits), number < 1 << 40,
          let shift = shifts[pair[1].dropFirst(digits.count).lowercased()]
        else {
          throw RuntimeError(
            .unsupported, "mount \(destination): \(option): expected a size in bytes, k, m or g")
        }
        result.sizeBytes = number << shift
      }
    }
    return result
  }

  private mutating func copyTree(
    _ source: String, _ destination: String, _ bytesLeft: inout Int
  ) throws(RuntimeError) {
    guard let isFolder = isFolder(source) else {
      throw RuntimeError(.notFound, "mount \(destination): the host has no \(source)")
    }
    guard isFolder else { return try copy(source, destination, &bytesLeft) }
    for name in System.names(in: source).sorted() where !name.hasPrefix("..") {
      try copyTree("\(source)/\(name)", "\(destination)/\(name)", &bytesLeft)
    }
  }

  private mutating func copy(
    _ source: String, _ destination: String, _ bytesLeft: inout Int
  ) throws(RuntimeError) {
    do {
      let content = try System.contents(source, max: max(0, bytesLeft))
      let attributes = try? FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: source).resolvingSymlinksInPath().path)
      let mode = (attributes?[.posixPermissions] as? NSNumber)?.uint32Value ?? 0o644
      files.append(
        HostFile(
          path: destination, mode: mode & 0o777,
          uid: (attributes?[.ownerAccountID] as? NSNumber)?.uint32Value ?? 0,
          gid: (attributes?[.groupOwnerAccountID] as? NSNumber)?.uint32Value ?? 0,
          content: content))
      bytesLeft -= content.count
    } catch {
      throw RuntimeError(
        .unsupported,
        "mount \(destination): \(source) cannot be copied in: \(describe(error)); at most "
          + "\(Self.filesBytesMax) bytes of files can be handed in")
    }
    guard files.count <= HostFile.countMax else {
      throw RuntimeError(
        .unsupported, "mount \(destination): more than \(HostFile.countMax) files to hand in")
    }
  }
}
