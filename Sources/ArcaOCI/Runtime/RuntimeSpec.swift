/// A container's configuration (OCI runtime-spec, `config.json`), as far as Arca writes it.
public struct RuntimeSpec: Codable, Sendable {
  /// The version of the specification.
  public var ociVersion = "1.0.2"
  /// The container's process.
  public var process: Process
  /// The root file system.
  public var root: Root
  /// The host name, in a UTS namespace of its own.
  public var hostname: String?
  /// What is mounted, in this order.
  public var mounts: [Mount]
  /// What is particular to Linux.
  public var linux: Linux
  /// Programs that the runtime runs at points of the container's life.
  public var hooks: JSONValue?
  /// Notes that the runtime shows in the container's state.
  public var annotations: [String: String]?

  /// A configuration of these parts.
  public init(
    process: Process, root: Root, hostname: String?, mounts: [Mount], linux: Linux
  ) {
    self.process = process
    self.root = root
    self.hostname = hostname
    self.mounts = mounts
    self.linux = linux
  }

  /// The process (runtime-spec, "Process").
  public struct Process: Codable, Sendable {
    /// Whether it gets a terminal of the runtime's.
    public var terminal = false
    /// Its user.
    public var user = User()
    /// Its argument vector.
    public var args: [String]
    /// Its environment, `NAME=value`.
    public var env: [String]
    /// Its working directory.
    public var cwd = "/"
    /// Its capabilities: each set is listed, since a set left out is the runtime's choice.
    public var capabilities = Capabilities()
    /// Whether `execve` never raises privileges.
    public var noNewPrivileges = true
    /// Its resource limits, where they are not the caller's.
    public var rlimits: [Limit]?

    /// A process without any capability.
    public init(args: [String], env: [String]) {
      self.args = args
      self.env = env
    }
  }

  /// A resource limit (runtime-spec, "Process", rlimits).
  public struct Limit: Codable, Sendable {
    /// Its name, such as `RLIMIT_MEMLOCK`.
    public var type: String
    /// What the process may raise it to.
    public var hard: UInt64
    /// What holds now.
    public var soft: UInt64

    /// A limit that is `value` and stays so.
    public init(_ type: String, _ value: UInt64) {
      self.type = type
      hard = value
      soft = value
    }
  }

  /// A user in the container.
  public struct User: Codable, Sendable {
    /// User id.
    public var uid: UInt32 = 0
    /// Group id.
    public var gid: UInt32 = 0
  }

  /// The five sets of capabilities, all empty.
  public struct Capabilities: Codable, Sendable {
    /// The bounding set.
    public var bounding: [String] = []
    /// The effective set.
    public var effective: [String] = []
    /// The inheritable set.
    public var inheritable: [String] = []
    /// The permitted set.
    public var permitted: [String] = []
    /// The ambient set.
    public var ambient: [String] = []
  }

  /// The root file system.
  public struct Root: Codable, Sendable {
    /// The folder.
    public var path: String
    /// Whether it takes no writes.
    public var readonly = true

    /// A read-only root in the folder `path`.
    public init(path: String) { self.path = path }
  }

  /// One mount.
  public struct Mount: Codable, Sendable {
    /// Where in the container.
    public var destination: String
    /// The file system's type, or `bind`.
    public var type: String
    /// What is mounted.
    public var source: String
    /// Options of mount(8).
    public var options: [String]

    /// A mount of `source` at `destination`.
    public init(_ destination: String, type: String, source: String, options: [String]) {
      self.destination = destination
      self.type = type
      self.source = source
      self.options = options
    }
  }

  /// The part for Linux (runtime-spec, "Linux Container Configuration").
  public struct Linux: Codable, Sendable {
    /// The namespaces that are the container's own.
    public var namespaces: [Namespace]
    /// The path of its control group, beneath each hierarchy.
    public var cgroupsPath: String?
    /// Limits and the devices that may be opened.
    public var resources: Resources
    /// Device nodes besides the usual ones.
    public var devices: [Device]
    /// The system calls that are allowed.
    public var seccomp: Seccomp?
    /// Paths that only look empty.
    public var maskedPaths: [String]
    /// Paths that take no writes.
    public var readonlyPaths: [String]
    /// Nothing that is mounted inside shows outside.
    public var rootfsPropagation = "private"

    /// The part of these parts.
    public init(
      namespaces: [Namespace], cgroupsPath: String?, resources: Resources, devices: [Device],
      seccomp: Seccomp?, maskedPaths: [String], readonlyPaths: [String]
    ) {
      self.namespaces = namespaces
      self.cgroupsPath = cgroupsPath
      self.resources = resources
      self.devices = devices
      self.seccomp = seccomp
      self.maskedPaths = maskedPaths
      self.readonlyPaths = readonlyPaths
    }
  }

  /// A namespace, new where no path is given.
  public struct Namespace: Codable, Sendable {
    /// Its kind: `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup`.
    public var type: String
    /// The namespace to join.
    public var path: String?

    /// A namespace of kind `type`, new unless there is a path.
    public init(_ type: String, path: String? = nil) {
      self.type = type
      self.path = path
    }
  }

  /// Limits of the control group.
  public struct Resources: Codable, Sendable {
    /// Rules for devices, the later one winning.
    public var devices: [DeviceRule]
    /// The memory limit, or nil for none.
    public var memory: Memory?
    /// Limits of processor time, as the engine gave them.
    public var cpu: JSONValue?
    /// The limit of processes, as the engine gave it.
    public var pids: JSONValue?

    /// Resources of these parts.
    public init(devices: [DeviceRule], memory: Memory?) {
      self.devices = devices
      self.memory = memory
    }
  }

  /// A rule of the device allow-list.
  public struct DeviceRule: Codable, Sendable {
    /// Whether the rule allows.
    public var allow: Bool
    /// `c`, `b`, or `a` for both.
    public var type: String?
    /// The major number; nil for any.
    public var major: Int64?
    /// The minor number; nil for any.
    public var minor: Int64?
    /// `r`, `w`, `m`, together.
    public var access: String

    /// A rule of these parts.
    public init(
      allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String
    ) {
      self.allow = allow
      self.type = type
      self.major = major
      self.minor = minor
      self.access = access
    }
  }

  /// A memory limit.
  public struct Memory: Codable, Sendable {
    /// The limit in bytes.
    public var limit: Int64

    /// A limit of so many bytes.
    public init(limit: Int64) { self.limit = limit }
  }

  /// A device node.
  public struct Device: Codable, Sendable {
    /// Where in the container.
    public var path: String
    /// `c` or `b`.
    public var type: String
    /// The major number.
    public var major: Int64
    /// The minor number.
    public var minor: Int64
    /// Its mode.
    public var fileMode: UInt32

    /// A device node of these parts.
    public init(path: String, type: String, major: Int64, minor: Int64, fileMode: UInt32) {
      self.path = path
      self.type = type
      self.major = major
      self.minor = minor
      self.fileMode = fileMode
    }
  }

  /// A filter of system calls.
  public struct Seccomp: Codable, Sendable {
    /// What happens to a call that no rule names.
    public var defaultAction: String
    /// The `errno` of that.
    public var defaultErrnoRet: UInt32
    /// The rules.
    public var syscalls: [Rule]

    /// Calls that are treated alike.
    public struct Rule: Codable, Sendable {
      /// The calls' names.
      public var names: [String]
      /// What happens to them.
      public var action: String
    }

    /// Allows the calls `names`; every other one fails with ENOSYS, so that programs fall back.
    public init(allowing names: [String]) {
      defaultAction = "SCMP_ACT_ERRNO"
      defaultErrnoRet = 38
      syscalls = [Rule(names: names, action: "SCMP_ACT_ALLOW")]
    }
  }
}
