import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest
import TEEEvidence

/// What the key broker gave, from its arrival to the places that the manifest names.
struct Secrets {
  private static let folder = "/dev/.arca-secrets"
  private static let strict = MS_NOSUID | MS_NODEV | MS_NOEXEC

  private var held: [(resource: Text, content: [UInt8])] = []

  /// Attests once and fetches every resource that the start needs, or takes them from what came
  /// with the launch.
  init(
    for manifest: WorkloadManifest, from broker: KeyBroker?, over channel: Channel
  ) throws(InitError) {
    var resources: [Text] = []
    let named =
      [manifest.rootFilesystem.encryptionKey, manifest.pod?.key].compactMap { $0 }
      + manifest.volumes.map { $0.key } + manifest.secrets.map { $0.resource }
    for name in named where !resources.contains(where: { $0.utf8.elementsEqual(name.utf8) }) {
      resources.append(name)
    }
    guard !resources.isEmpty else { return }
    guard let broker else { throw InitError(.manifest, "keyBroker: secrets need one") }
    if case .commandLine = broker.provider {
      let given = try LaunchSecrets.ofLaunch()
      held = try Self.each(resources) { (path) throws(InitError) in
        guard let content = given[path] else {
          throw InitError(.secret, "the launch brought no \(path)")
        }
        return content
      }
      return
    }
    held = try broker.attested(over: channel) { (session) throws(InitError) in
      try Self.each(resources) { (path) throws(InitError) in try session.resource(path) }
    }
  }

  private static func each(
    _ resources: [Text], _ content: ([UInt8]) throws(InitError) -> [UInt8]
  ) throws(InitError) -> [(resource: Text, content: [UInt8])] {
    var held: [(resource: Text, content: [UInt8])] = []
    for resource in resources {
      guard let path = ResourceURI.path(resource) else {
        throw InitError(.manifest, "resource \(resource)")
      }
      held.append((resource, try content(path)))
    }
    return held
  }

  /// The content of a resource that was fetched; to be wiped by the caller too.
  subscript(resource: Text) -> [UInt8]? {
    held.first { $0.resource.utf8.elementsEqual(resource.utf8) }?.content
  }

  /// What the keys of a pod's members are derived from, or nil where they have none.
  func forPod(_ pod: Pod) throws(InitError) -> [UInt8]? {
    guard let key = pod.key else { return nil }
    guard let secret = self[key], secret.count >= Pod.keyBytesMin else {
      throw InitError(.secret, "\(key): a pod's key needs \(Pod.keyBytesMin) bytes or more")
    }
    return secret
  }

  /// Puts each secret where `manifest` says, and wipes all that is left.
  ///
  /// An enclave's own memory holds the folder of each, which its measured manifest mounts.
  mutating func place(
    into manifest: inout WorkloadManifest, isEnclave: Bool
  ) throws(InitError) {
    defer { wipe() }
    var isMounted = false
    for (number, secret) in manifest.secrets.enumerated() {
      guard let content = self[secret.resource] else {
        throw InitError(.secret, "\(secret.resource): was not fetched")
      }
      switch secret.target {
      case .variable(let name):
        guard isUTF8(content), !content.contains(0) else {
          throw InitError(.secret, "\(secret.resource): no text, as the variable \(name) needs")
        }
        manifest.process.env.append("\(name)=\(content)")
      case .file(let path, let mode, let uid, let gid):
        do {
          if !isMounted, !isEnclave {
            try mount()
            isMounted = true
          }
          let file = isEnclave ? path : "\(Self.folder)/\(number)"
          try File.write(file, content, mode: 0o600)
          try System.changeOwner(file, uid: uid, gid: gid)
          try System.changeMode(file, mode)
          if isEnclave { continue }
          try ContainerEnvironment.makeFile(path)
          try System.mount(file, path, "", MS_BIND)
          try System.mount(
            "", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | Self.strict)
        } catch {
          throw error.named(.secret, "\(secret.resource) at \(path)")
        }
      }
    }
    if isMounted {
      // The files stay reachable only where they are bound.
      try step(.secret, Self.folder) { () throws(SystemError) in
        try System.unmount(Self.folder)
        try System.removeFolder(Self.folder)
      }
    }
  }

  private func mount() throws(SystemError) {
    try System.makeFolder(Self.folder, mode: 0o700)
    try System.mount("tmpfs", Self.folder, "tmpfs", Self.strict, "mode=0700,noswap")
  }

  private mutating func wipe() {
    for index in held.indices { Crypto.wipe(&held[index].content) }
    held = []
  }
}
