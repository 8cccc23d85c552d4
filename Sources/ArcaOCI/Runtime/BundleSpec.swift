/// A bundle's `config.json` (OCI runtime-spec 1.2), as far as Arca reads what engines write.
///
/// Everything that the specification lets an engine leave out is optional here.
public struct BundleSpec: Decodable, Sendable {
  /// The version of the specification.
  public var ociVersion: String
  /// The container's process; an engine may leave it out of a container that is never started.
  public var process: Process?
  /// The root file system.
  public var root: Root?
  /// The host name.
  public var hostname: String?
  /// What is mounted, in this order.
  public var mounts: [Mount]?
  /// Notes of the engine and the user.
  public var annotations: [String: String]?
  /// Programs that run at points of the container's life, as they are.
  public var hooks: JSONValue?
  /// What is particular to Linux.
  public var linux: Linux?

  /// The process.
  public struct Process: Decodable, Sendable {
    /// Whether it gets a terminal.
    public var terminal: Bool?
    /// The terminal's size.
    public var consoleSize: ConsoleSize?
    /// Its user.
    public var user: User?
    /// Its argument vector.
    public var args: [String]?
    /// Its environment, `NAME=value`.
    public var env: [String]?
    /// Its working directory.
    public var cwd: String
    /// Its capabilities.
    public var capabilities: Capabilities?
    /// Its limits.
    public var rlimits: [Limit]?
    /// Whether `execve` never raises privileges.
    public var noNewPrivileges: Bool?

    /// A process that runs nothing yet, in the folder `cwd`.
    public init(cwd: String) { self.cwd = cwd }
  }

  /// Rows and columns.
  public struct ConsoleSize: Decodable, Sendable {
    /// Rows.
    public var height: UInt16
    /// Columns.
    public var width: UInt16
  }

  /// A user.
  public struct User: Decodable, Sendable {
    /// User id.
    public var uid: UInt32?
    /// Group id.
    public var gid: UInt32?
    /// File mode creation mask.
    public var umask: UInt32?
    /// Supplementary group ids.
    public var additionalGids: [UInt32]?

    /// A user of whom nothing is said.
    public init() {}
  }

  /// Capabilities, of which Arca takes the sets that decide about the others after `execve`.
  public struct Capabilities: Decodable, Sendable {
    /// The bounding set, `CAP_…`.
    public var bounding: [String]?
    /// The ambient set, `CAP_…`.
    public var ambient: [String]?
  }

  /// A resource limit.
  public struct Limit: Decodable, Sendable {
    /// `RLIMIT_…`.
    public var type: String
    /// The soft limit.
    public var soft: UInt64
    /// The hard limit.
    public var hard: UInt64
  }

  /// The root file system.
  public struct Root: Decodable, Sendable {
    /// The folder, relative to the bundle or absolute.
    public var path: String
    /// Whether it takes no writes.
    public var readonly: Bool?
  }

  /// One mount.
  public struct Mount: Decodable, Sendable {
    /// Where in the container.
    public var destination: String
    /// The file system's type.
    public var type: String?
    /// What is mounted.
    public var source: String?
    /// Options of mount(8).
    public var options: [String]?
  }

  /// The part for Linux.
  public struct Linux: Decodable, Sendable {
    /// The namespaces that are the container's own, or joined.
    public var namespaces: [Namespace]?
    /// The path of its control group.
    public var cgroupsPath: String?
    /// Limits, as they are.
    public var resources: JSONValue?
    /// Kernel settings.
    public var sysctl: [String: String]?
    /// Device nodes.
    public var devices: [Device]?
  }

  /// A namespace, joined where there is a path.
  public struct Namespace: Decodable, Sendable {
    /// Its kind.
    public var type: String
    /// The namespace to join.
    public var path: String?
  }

  /// A device node.
  public struct Device: Decodable, Sendable {
    /// Where in the container.
    public var path: String
  }
}
