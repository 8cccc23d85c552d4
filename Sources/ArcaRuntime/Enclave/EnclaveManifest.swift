import ArcaBytes
import ArcaImage
import ArcaManifest
import ArcaTEE

/// The Gramine manifest of an enclave that runs a workload, in the form that `gramine-sgx-sign`
/// writes (Gramine documentation, "Manifest syntax"): every byte of it is measured.
///
/// All depends on the workload's manifest, its files and the release, nothing on the machine.
struct EnclaveManifest {
  /// A file system in the enclave's own memory.
  struct Temporary: Equatable {
    let path: String
    let mode: UInt32
    let bytes: UInt64
  }

  private static let temporaryBytes: UInt64 = 64 << 20
  private static let usual: [(path: String, mode: UInt32)] = [
    ("/dev/shm", 0o1777), ("/run", 0o755), ("/tmp", 0o1777), ("/var/tmp", 0o1777),
  ]
  // Measured, so the same everywhere: room for what images run, which loads 256 MiB at the most.
  private static let enclaveSize = "1G"
  private static let threads = 32

  /// What is mounted over the root, the outer folder first.
  let temporaries: [Temporary]
  /// The manifest's bytes.
  let bytes: [UInt8]

  /// The enclave of `manifest`, whose root has `files`, entered by the program of hash `program`.
  init(
    _ kind: LaunchKind, _ manifest: WorkloadManifest, files: [RootFile], program: [UInt8]
  ) throws(RuntimeError) {
    try Self.refuseWhatNeedsAKernel(manifest)
    temporaries = try Self.temporaries(manifest, files)
    var text = """
      [fs]
      mounts = [
      \(temporaries.map { "    { type = \"tmpfs\", path = \(Self.quoted($0.path)) }," }
        .joined(separator: "\n"))
      ]

      [fs.root]
      type = "chroot"
      uri = "file:\(OuterPath.enclaveRoot)"

      [libos]
      entrypoint = "\(OuterPath.enclaveProgram)"

      [loader]
      gid = \(manifest.process.gid)
      uid = \(manifest.process.uid)


      """
    text += EnclaveEnvironment(kind, workload: manifest.digest).text
    text += """

      [sgx]
      debug = false
      edmm_enable = false
      enclave_size = "\(Self.enclaveSize)"
      max_threads = \(Self.threads)
      remote_attestation = "dcap"
      trusted_files = [

      """
    text += Self.trusted(files, program, apartFrom: temporaries).text
    text += """
      ]

      [sys]
      enable_sigterm_injection = true

      """
    bytes = Array(text.utf8)
  }

  /// The program and the files that can be reached: none of them lies under what is mounted.
  private static func trusted(
    _ files: [RootFile], _ program: [UInt8], apartFrom temporaries: [Temporary]
  ) -> TrustedFiles {
    let reachable = files.filter { file in
      file.path != OuterPath.enclaveProgram
        && !temporaries.contains { file.path.hasPrefix($0.path + "/") }
    }
    let all = [(OuterPath.enclaveProgram, program)] + reachable.map { ($0.path, $0.sha256) }
    return TrustedFiles(
      all.map { TrustedFiles.File(path: OuterPath.enclaveRoot + $0.0, sha256: $0.1) })
  }

  private static func quoted(_ text: String) -> String { "\"\(TOMLString.escaped(text))\"" }

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
