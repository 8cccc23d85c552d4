import ArcaImage
import ArcaManifest
import ArcaManifestText
import ArcaTEE

/// What a user asks of `arca run`.
public struct RunRequest: Sendable {
  /// The image: a name of the store's, or where to find it.
  public var image: String
  /// The container's name, or nil for one made up.
  public var name: String?
  /// The owner's manifest, or nil to have one derived from the image.
  public var manifest: WorkloadManifest?
  /// What the options change about a derived manifest.
  public var options = ManifestOptions()
  /// What the host adds, within the manifest's rules.
  public var input = HostInput()
  /// The folders of the host that ``input`` names, in its order.
  public var folders: [SharedFolder] = []
  /// Guest memory in MiB, or nil for ``memoryMiBDefault`` without a limit of the control group.
  public var memoryMiB: Int?
  /// How many virtual processors.
  public var vcpus = 1
  /// Whether standard input reaches the workload.
  public var passesInput = false
  /// Where the evidence of the running guest goes, or nil.
  public var evidencePath: String?
  /// Whether the container is removed once it has ended.
  public var isRemoved = false
  /// Where to reach the manifest's key broker instead of where its URL says; its key counts.
  public var keyBrokerAddress: BrokerEndpoint?
  /// The kind of TEE.
  public var kind: LaunchKind
  /// QEMU's name of the CPU model on hardware, or nil for that of the host's own generation.
  public var cpuModel: String?
  /// The guest policy of SEV kinds, or nil for Arca's own.
  public var policy: UInt64?
  /// SEV-SNP: an ID block and its authentication structure, or empty.
  public var idBlock: [UInt8] = []
  /// SEV-SNP: the ID block's authentication structure, or empty.
  public var idAuthentication: [UInt8] = []
  /// SEV: the folder that `arca sev session` made, or nil.
  public var sessionFolder: String?
  /// SEV: the platform's certificates, by which the key broker makes the session, or nil.
  public var sevChain: [UInt8]?
  /// SGX: the folder that `arca sgx sign` made, or nil for an enclave signed by this machine.
  public var enclaveFolder: String?

  /// Guest memory in MiB unless said otherwise.
  public static let memoryMiBDefault = 512

  /// A request to run `image` as it is.
  public init(image: String, kind: LaunchKind) {
    self.image = image
    self.kind = kind
  }
}

/// A folder of the host that a guest mounts.
public struct SharedFolder: Sendable {
  /// Absolute path on the host.
  public var source: String
  /// Whether the workload cannot write to it.
  public var isReadOnly: Bool
  /// Whether what the host has mounted beneath it is shared as well.
  public var isRecursive: Bool

  /// A folder of these parts.
  public init(source: String, isReadOnly: Bool, isRecursive: Bool) {
    self.source = source
    self.isReadOnly = isReadOnly
    self.isRecursive = isRecursive
  }
}

extension PreparedImage {
  /// The root file system as a manifest names it; its writable size is the manifest's matter.
  public var rootFilesystem: RootFilesystem {
    var named = RootFilesystem(
      rootHash: rootHash, salt: salt, dataBlocks: dataBlocks, hashStartBlock: hashStartBlock,
      writableBytes: 0)
    named.encryptionKey = workloadManifest?.rootFilesystem.encryptionKey
    return named
  }

  /// What the image's configuration says about how to run it.
  public var defaults: ImageDefaults {
    let execution = config.config
    return ImageDefaults(
      entrypoint: execution.entrypoint, cmd: execution.cmd, env: execution.env,
      workingDir: execution.workingDir, user: execution.user,
      passwd: passwd, group: group)
  }

  /// The manifest that is derived from the image and `options`.
  public func derivedManifest(
    _ options: ManifestOptions
  ) throws(ManifestTextError) -> WorkloadManifest {
    try deriveManifest(root: rootFilesystem, image: defaults, options: options)
  }

  /// Refuses a manifest that is for another image.
  public func check(_ manifest: WorkloadManifest) throws(RuntimeError) {
    var expected = rootFilesystem
    expected.writableBytes = manifest.rootFilesystem.writableBytes
    guard manifest.rootFilesystem == expected else {
      throw RuntimeError(
        .manifest,
        "manifest: its rootFilesystem is not that of image \(manifestDigest); derive it again "
          + "or name the image that it was made for")
    }
  }
}
