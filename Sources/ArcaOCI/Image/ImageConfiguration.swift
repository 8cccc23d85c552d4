/// What an image says about how to run it (OCI image-spec 1.1, config.md).
public struct ImageConfiguration: Codable, Equatable, Sendable {
  /// The CPU architecture, in Go's words.
  public var architecture: String
  /// The operating system, in Go's words.
  public var os: String
  /// The defaults for a container of this image.
  public var config: Execution
  /// The layers' uncompressed digests.
  public var rootfs: RootFileSystem

  /// The digests of the uncompressed layers.
  public struct RootFileSystem: Codable, Equatable, Sendable {
    /// Always `layers`.
    public var type: String
    /// Digests of the uncompressed layers, lowest first, as `algorithm:hex`.
    public var diffIDs: [String]

    enum CodingKeys: String, CodingKey {
      case type
      case diffIDs = "diff_ids"
    }

    /// Creates the list.
    public init(diffIDs: [String]) {
      type = "layers"
      self.diffIDs = diffIDs
    }

    /// Decodes with a missing or null list taken as empty.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      type = try container.decodeIfPresent(String.self, forKey: .type) ?? "layers"
      diffIDs = try container.decodeIfPresent([String].self, forKey: .diffIDs) ?? []
    }
  }

  enum CodingKeys: String, CodingKey {
    case architecture, os, config, rootfs
  }

  /// Creates a configuration.
  public init(
    architecture: String = "amd64", os: String = "linux", config: Execution, diffIDs: [String]
  ) {
    self.architecture = architecture
    self.os = os
    self.config = config
    rootfs = RootFileSystem(diffIDs: diffIDs)
  }

  /// Decodes with what is optional taken as empty where it is missing or null.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    architecture = try container.decode(String.self, forKey: .architecture)
    os = try container.decode(String.self, forKey: .os)
    config = try container.decodeIfPresent(Execution.self, forKey: .config) ?? Execution()
    rootfs = try container.decode(RootFileSystem.self, forKey: .rootfs)
  }
}

extension ImageConfiguration {
  /// The execution parameters of a container of the image; an empty text or list means unset.
  public struct Execution: Codable, Equatable, Sendable {
    /// The user as `name`, `uid`, `name:group` or `uid:gid`.
    public var user: String
    /// The environment as `NAME=value`.
    public var env: [String]
    /// The program and its first arguments, put before ``cmd`` or what replaces it.
    public var entrypoint: [String]
    /// The default arguments.
    public var cmd: [String]
    /// The working directory.
    public var workingDir: String
    /// The signal that asks the program to end, by name or number.
    public var stopSignal: String
    /// Paths that the image declares as volumes, sorted.
    public var volumes: [String]
    /// Labels.
    public var labels: [String: String]

    enum CodingKeys: String, CodingKey {
      case user = "User"
      case env = "Env"
      case entrypoint = "Entrypoint"
      case cmd = "Cmd"
      case workingDir = "WorkingDir"
      case stopSignal = "StopSignal"
      case volumes = "Volumes"
      case labels = "Labels"
    }

    private struct Empty: Codable {}

    /// Creates parameters.
    public init(
      user: String = "", env: [String] = [], entrypoint: [String] = [], cmd: [String] = [],
      workingDir: String = "", stopSignal: String = ""
    ) {
      self.user = user
      self.env = env
      self.entrypoint = entrypoint
      self.cmd = cmd
      self.workingDir = workingDir
      self.stopSignal = stopSignal
      volumes = []
      labels = [:]
    }

    /// Decodes with everything that is missing or null taken as empty.
    public init(from decoder: any Decoder) throws {
      let from = try decoder.container(keyedBy: CodingKeys.self)
      user = try from.decodeIfPresent(String.self, forKey: .user) ?? ""
      env = try from.decodeIfPresent([String].self, forKey: .env) ?? []
      entrypoint = try from.decodeIfPresent([String].self, forKey: .entrypoint) ?? []
      cmd = try from.decodeIfPresent([String].self, forKey: .cmd) ?? []
      workingDir = try from.decodeIfPresent(String.self, forKey: .workingDir) ?? ""
      stopSignal = try from.decodeIfPresent(String.self, forKey: .stopSignal) ?? ""
      let volumeSet = try from.decodeIfPresent([String: Empty].self, forKey: .volumes) ?? [:]
      volumes = volumeSet.keys.sorted()
      labels = try from.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
    }

    /// Encodes as the specification writes it, without what is empty.
    public func encode(to encoder: any Encoder) throws {
      var to = encoder.container(keyedBy: CodingKeys.self)
      if !user.isEmpty { try to.encode(user, forKey: .user) }
      if !env.isEmpty { try to.encode(env, forKey: .env) }
      if !entrypoint.isEmpty { try to.encode(entrypoint, forKey: .entrypoint) }
      if !cmd.isEmpty { try to.encode(cmd, forKey: .cmd) }
      if !workingDir.isEmpty { try to.encode(workingDir, forKey: .workingDir) }
      if !stopSignal.isEmpty { try to.encode(stopSignal, forKey: .stopSignal) }
      if !labels.isEmpty { try to.encode(labels, forKey: .labels) }
      if !volumes.isEmpty {
        let set = Dictionary(volumes.map { ($0, Empty()) }, uniquingKeysWith: { first, _ in first })
        try to.encode(set, forKey: .volumes)
      }
    }
  }
}
