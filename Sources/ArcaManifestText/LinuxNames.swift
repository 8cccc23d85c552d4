/// The names that Linux gives to the numbers in a manifest.
public enum LinuxNames {
  /// Capabilities by bit number, as in linux/capability.h, without `CAP_`.
  static let capabilities = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
  ]

  /// Resource limits by number, as in asm-generic/resource.h, without `RLIMIT_`.
  static let rlimits = [
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
    "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
  ]

  /// The number of `RLIMIT_NPROC`.
  public static let processes: UInt8 = 6
  /// The number of `RLIMIT_NOFILE`.
  public static let openFiles: UInt8 = 7

  /// Signals 1 to 31 on x86-64, without `SIG`.
  static let signals = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
  ]

  /// The first real-time signal that programs may use (signal(7)).
  private static let realTimeFirst = 34

  /// The bit of a capability named with or without `CAP_`, in any case, or nil.
  public static func capability(_ name: String) -> Int? {
    capabilities.firstIndex(of: bare(name, prefix: "CAP_"))
  }

  /// The number of a resource limit named with or without `RLIMIT_`, in any case, or nil.
  public static func rlimit(_ name: String) -> UInt8? {
    rlimits.firstIndex(of: bare(name, prefix: "RLIMIT_")).map { UInt8($0) }
  }

  /// The number of a signal given as a number, a name with or without `SIG`, or `RTMIN+n`; or nil.
  public static func signal(_ name: String) -> UInt8? {
    if let number = UInt8(name) { return (1...64).contains(number) ? number : nil }
    let bareName = bare(name, prefix: "SIG")
    if let index = signals.firstIndex(of: bareName) { return UInt8(index + 1) }
    if bareName == "RTMIN" { return UInt8(realTimeFirst) }
    if bareName == "RTMAX" { return 64 }
    if bareName.hasPrefix("RTMIN+"), let offset = Int(bareName.dropFirst(6)),
      (0...64 - realTimeFirst).contains(offset)
    {
      return UInt8(realTimeFirst + offset)
    }
    if bareName.hasPrefix("RTMAX-"), let offset = Int(bareName.dropFirst(6)),
      (0...64 - realTimeFirst).contains(offset)
    {
      return UInt8(64 - offset)
    }
    return nil
  }

  /// The name of signal `number`, `SIGTERM` for 15; real-time signals are `SIGRTMIN+n`.
  public static func signalName(_ number: UInt8) -> String {
    let index = Int(number) - 1
    if signals.indices.contains(index) { return "SIG" + signals[index] }
    return "SIGRTMIN+\(Int(number) - realTimeFirst)"
  }

  /// The names, with `CAP_`, of the bits set in `mask`.
  static func capabilityNames(_ mask: UInt64) -> [String] {
    (0..<64).filter { mask >> UInt64($0) & 1 == 1 }
      .map { capabilities.indices.contains($0) ? "CAP_" + capabilities[$0] : "\($0)" }
  }

  private static func bare(_ name: String, prefix: String) -> String {
    let upper = name.uppercased()
    return upper.hasPrefix(prefix) ? String(upper.dropFirst(prefix.count)) : upper
  }
}
