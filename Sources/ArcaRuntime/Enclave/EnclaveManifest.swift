import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaTEE

/// The Gramine manifest of an enclave that runs a workload, in the form that `gramine-sgx-sign`
/// writes (Gramine documentation, "Manifest syntax"): every byte of it is measured.
///
/// All depends on the workload's manifest, its files, the release and Gramine's library, nothing
/// else of the machine.
package struct EnclaveManifest {
  /// A file system in the enclave's own memory.
  package struct Temporary: Equatable, Sendable {
    /// Its absolute path.
    package let path: String
    /// The mode of its root.
    package let mode: UInt32
    /// Its bound in bytes, where Gramine does not hold it.
    package let bytes: UInt64
  }

  /// What the manifest says where Gramine serves the workload.
  package struct Served: Sendable {
    /// SHA-256 of its library of system calls.
    package let library: [UInt8]
    /// The folders and links of the root.
    package let tree: LinkTree

    /// Gramine with this library, over this tree.
    package init(library: [UInt8], tree: LinkTree) {
      self.library = library
      self.tree = tree
    }
  }

  private static let temporaryBytes: UInt64 = 64 << 20
  private static let usual: [(path: String, mode: UInt32)] = [
    ("/dev/shm", 0o1777), ("/run", 0o755), ("/tmp", 0o1777), ("/var/tmp", 0o1777),
  ]

  /// What is mounted over the root in the enclave's memory, the outer folder first.
  package let temporaries: [Temporary]
  /// The manifest's bytes.
  package let bytes: [UInt8]

  /// The enclave of `manifest`, whose root has `files`, entered by the program of hash `program`;
  /// `served` is nil where `arca-init` itself takes Gramine's place.
  package init(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, files: [RootFile], program: [UInt8],
    served: Served? = nil, options: EnclaveOptions = EnclaveOptions()
  ) throws(RuntimeError) {
    try Self.refuseWhatNeedsAKernel(manifest)
    try options.check()
    temporaries = try Self.temporaries(manifest, files)
    let folders = temporaries.map(\.path)
    var links: EnclaveLinks?
    if let served { links = try EnclaveLinks(served.tree, files: files, apartFrom: folders) }
    let reachable = files.filter { file in
      file.path != OuterPath.enclaveProgram && !folders.contains { file.path.hasPrefix($0 + "/") }
    }
    var trusted = reachable.map { TrustedFiles.File(path: $0.path, sha256: $0.sha256) }
    trusted = (trusted + (links?.files ?? [])).sorted {
      $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
    }
    .map { TrustedFiles.File(path: OuterPath.enclaveRoot + $0.path, sha256: $0.sha256) }
    let first = served == nil ? OuterPath.standInProgram : OuterPath.enclaveProgramFile
    trusted.insert(TrustedFiles.File(path: first, sha256: program), at: 0)
    let document = TOMLTable([
      "fs": .table(Self.fileSystems(folders, links)),
      "libos": .table(TOMLTable(["entrypoint": .text(OuterPath.enclaveProgram)])),
      "loader": .table(Self.loader(kind, manifest, served)),
      "sgx": .table(Self.enclave(options, TrustedFiles(trusted))),
      "sys": .table(Self.system),
    ])
    bytes = Array(document.text.utf8)
  }

  private static func fileSystems(_ folders: [String], _ links: EnclaveLinks?) -> TOMLTable {
    func chroot(_ path: String, _ target: String) -> (String, TOMLTable) {
      (
        path,
        TOMLTable(["type": .text("chroot"), "path": .text(path), "uri": .text("file:" + target)])
      )
    }
    var mounts = (folders + (links?.temporaries ?? [])).map {
      ($0, TOMLTable(["type": .text("tmpfs"), "path": .text($0)]))
    }
    if let links {
      mounts += links.mounts.map { chroot($0.key, OuterPath.enclaveRoot + $0.value) }
      mounts.append(chroot(OuterPath.enclaveProgram, OuterPath.enclaveProgramFile))
    }
    // The outer folder comes first.
    mounts.sort { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
    let root = TOMLTable([
      "type": .text("chroot"), "uri": .text("file:" + OuterPath.enclaveRoot),
    ])
    return TOMLTable(["mounts": .tables(mounts.map(\.1)), "root": .table(root)])
  }

  private static func loader(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, _ served: Served?
  ) -> TOMLTable {
    var table = TOMLTable([
      "gid": .number(UInt64(manifest.process.gid)), "uid": .number(UInt64(manifest.process.uid)),
    ])
    if let served {
      // What Gramine says would stand among the workload's own words.
      table.append("log_file", .text(OuterPath.gramineLog))
      table.append(
        "entrypoint",
        .table(
          TOMLTable([
            "uri": .text("file:\(OuterPath.gramine)/\(Gramine.library)"),
            "sha256": .text(Hex.encode(served.library)),
          ])))
    }
    table.append("env", .table(EnclaveEnvironment(kind, workload: manifest.digest).table))
    return table
  }

  private static func enclave(_ options: EnclaveOptions, _ trusted: TrustedFiles) -> TOMLTable {
    var features = TOMLTable([:])
    for (name, value) in EnclaveOptions.featureDefaults {
      features.append(name, .text(options.processorFeatures[name] ?? value))
    }
    return TOMLTable([
      "debug": .flag(options.isDebuggable), "edmm_enable": .flag(options.addsPagesOnDemand),
      "enable_stats": .flag(false), "enclave_size": .text(options.sizeText),
      "isvprodid": .number(UInt64(options.productID)),
      "isvsvn": .number(UInt64(options.securityVersion)),
      "max_threads": .number(UInt64(options.threads)), "remote_attestation": .text("dcap"),
      "use_exinfo": .flag(options.keepsExceptionInformation),
      "trusted_files": .tables(trusted.tables), "cpu_features": .table(features),
    ])
  }

  /// Gramine's own defaults are too small for what images run.
  private static var system: TOMLTable {
    TOMLTable([
      "enable_sigterm_injection": .flag(true),
      "brk": .table(TOMLTable(["max_size": .text("64M")])),
      "stack": .table(TOMLTable(["size": .text("8M")])),
      "fds": .table(TOMLTable(["limit": .number(16384)])),
    ])
  }

  private static func refuseWhatNeedsAKernel(
    _ manifest: WorkloadManifest
  ) throws(RuntimeError) {
    let needs = [
      ("rootFilesystem.encryptionKey", manifest.rootFilesystem.encryptionKey != nil),
      ("volumes", !manifest.volumes.isEmpty),
      ("workloadMay", !manifest.workloadMay.allowsNothing),
    ]
    for (name, isNeeded) in needs where isNeeded {
      throw RuntimeError(
        .manifest,
        "manifest: \(name): an enclave has no kernel of its own to serve it; use a TEE of another "
          + "kind, or a manifest without it")
    }
  }

  /// The usual ones, the manifest's, and one at the folder of each secret.
  private static func temporaries(
    _ manifest: WorkloadManifest, _ files: [RootFile]
  ) throws(RuntimeError) -> [Temporary] {
    var found = manifest.mounts.map {
      Temporary(path: $0.destination, mode: $0.mode, bytes: $0.sizeBytes)
    }
    for (path, mode) in usual where !found.contains(where: { $0.path == path }) {
      found.append(Temporary(path: path, mode: mode, bytes: temporaryBytes))
    }
    for secret in manifest.secrets {
      guard case .file(let path, _, _, _) = secret.target, let slash = path.lastIndex(of: "/")
      else { continue }
      let folder = String(path[..<slash])
      if found.contains(where: { $0.path == folder }) { continue }
      guard !folder.isEmpty, !files.contains(where: { $0.path.hasPrefix(folder + "/") }) else {
        throw RuntimeError(
          .manifest,
          "manifest: secret at \(path): an enclave keeps it in a folder of its own memory, but the "
            + "image has files in \(folder)/; put it elsewhere, such as /run/secrets")
      }
      found.append(Temporary(path: folder, mode: 0o755, bytes: temporaryBytes))
    }
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }
}
