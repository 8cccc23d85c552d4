import ArcaBytes
import ArcaManifest
import ArcaWire
import CArcaGuest

/// What a container finds around it besides its own files (OCI runtime-spec, "config-linux", and
/// the paths that podman hides).
enum ContainerEnvironment {
  private static let strict = MS_NOSUID | MS_NODEV | MS_NOEXEC
  private static let devices: [(Text, UInt, UInt)] = [
    ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
    ("tty", 5, 0),
  ]
  private static let links = [
    ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"), ("core", "/proc/kcore"),
  ]
  private static let masked = [
    "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block",
    "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux",
  ]
  private static let readOnly = [
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
  ]

  /// Makes all but `/proc`, in the root that has just been entered.
  static func make(for manifest: WorkloadManifest) throws(InitError) {
    try mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=65536k")
    try step(.environment, "/dev") { () throws(SystemError) in
      for (name, major, minor) in devices {
        try System.makeDevice("/dev/\(name)", major: major, minor: minor)
      }
      for (name, target) in links { try System.link("/dev/\(name)", to: target) }
    }
    try mount(
      "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
      "newinstance,ptmxmode=0666,mode=0620,gid=5")
    try mount("shm", "/dev/shm", "tmpfs", strict, "mode=1777,size=65536k")
    try mount("mqueue", "/dev/mqueue", "mqueue", strict)
    try mount("sysfs", "/sys", "sysfs", strict | MS_RDONLY)
    try mount("cgroup", "/sys/fs/cgroup", "cgroup2", strict | MS_RDONLY)
    for item in manifest.mounts {
      try mount(
        "tmpfs", item.destination, "tmpfs", MS_NOSUID | MS_NODEV,
        "size=\(item.sizeBytes),mode=\(octal: item.mode)")
    }
    try step(.environment, "host name") { () throws(SystemError) in
      try System.setHostname(manifest.hostname)
      try Network.setLink(1)
    }
    try makeFolder("/proc", mode: 0o555)
    try makeFolder(manifest.process.cwd, mode: 0o755, owner: manifest.process)
  }

  /// Makes `/proc` and hides what a container must not see; called in the workload's namespaces.
  static func makeProc(isRootReadOnly: Bool) throws(InitError) {
    try mount("proc", "/proc", "proc", strict)
    try step(.environment, "paths to hide") { () throws(SystemError) in
      for path in masked {
        guard let isFolder = try? System.isFolder(path) else { continue }
        if isFolder {
          try System.mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0")
        } else {
          try System.mount("/dev/null", path, "", MS_BIND)
        }
      }
      for path in readOnly where (try? System.isFolder(path)) != nil {
        try System.mount(path, path, "", MS_BIND)
        try remountReadOnly(path, strict)
      }
      if isRootReadOnly { try remountReadOnly("/", 0) }
    }
  }

  /// Writes what the host hands in and the manifest lets it write, over whatever stands there.
  static func write(_ files: [HostFile]) throws(InitError) {
    for file in files {
      try? System.unlink(file.path)
      try step(.environment, file.path) { () throws(SystemError) in
        try makeFile(file.path, file.content, mode: file.mode)
        try System.changeOwner(file.path, uid: file.uid, gid: file.gid)
      }
    }
  }

  /// Mounts what the host shares, by its place in the list; no program of it can be executed.
  static func mount(_ folders: [HostFolder]) throws(InitError) {
    for (index, folder) in folders.enumerated() {
      try mount(
        "folder-\(index)", folder.path, "virtiofs",
        strict | (folder.isReadOnly ? MS_RDONLY : 0))
    }
  }

  private static func remountReadOnly(_ path: Text, _ flags: Int32) throws(SystemError) {
    try System.mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
  }

  private static func mount(
    _ source: Text, _ target: Text, _ type: Text, _ flags: Int32, _ data: Text = ""
  ) throws(InitError) {
    try makeFolder(target, mode: 0o755)
    try attempt(.environment, target, System.mount(source, target, type, flags, data))
  }

  /// Makes `path` and what leads to it where they are missing; the last part belongs to `owner`.
  static func makeFolder(
    _ path: Text, mode: UInt32, owner: WorkloadProcess? = nil
  ) throws(InitError) {
    if (try? System.isFolder(path)) == true { return }
    try step(.environment, path) { () throws(SystemError) in
      try makeFolders(parts(path)[...], mode: mode)
      if let owner { try System.changeOwner(path, uid: owner.uid, gid: owner.gid) }
    }
  }

  /// Makes a file at `path`, empty to mount upon, and what leads to it where it is missing.
  static func makeFile(
    _ path: Text, _ content: [UInt8] = [], mode: UInt32 = 0o600
  ) throws(SystemError) {
    try makeFolders(parts(path).dropLast(), mode: 0o755)
    try File.write(path, content, mode: mode)
  }

  private static func parts(_ path: Text) -> [ArraySlice<UInt8>] {
    Array(path.utf8).split(separator: UInt8(ascii: "/"))
  }

  private static func makeFolders(
    _ parts: ArraySlice<ArraySlice<UInt8>>, mode: UInt32
  ) throws(SystemError) {
    var made: Text = ""
    for part in parts {
      made += "/\(part)"
      do throws(SystemError) { try System.makeFolder(made, mode: mode) } catch {
        if error.errno != EEXIST { throw error }
      }
    }
  }
}
