import ArcaImage
import ArcaOCI
import ArcaTEE
import Foundation

/// The OCI configuration of the container that holds QEMU and the launcher, and nothing else.
package struct OuterContainer {
  /// Memory that QEMU and the launcher may need beside the guest's, where memory is limited.
  static let overheadMiB = 256

  var id: String
  /// The folder of the container in Arca's state.
  var folder: String
  /// The root of ``OuterRoot``.
  var root: String
  var guest: String
  var rootFilesystem: String
  /// The volumes' disks, in the manifest's order.
  var volumes: [String] = []
  /// What signs a simulated TEE's evidence; nil where hardware does.
  var simulatedKey: String?
  /// What hardware needs of the host.
  var hardware: HostHardware?
  var accelerator: Accelerator
  /// Guest memory, where the control group is to limit it.
  var limitedMemoryMiB: Int?
  /// The root of an enclave's workload; nil where a machine holds the workload.
  var enclave: EnclaveRoot?
  /// Folders of the host that the guest mounts, in the order of the host input.
  var folders: [SharedFolder] = []
  /// What an engine's bundle names, where there is one.
  var engine: BundleSpec?

  /// How the launcher finds a key broker's address, where no `arca` does it; an engine makes them.
  static let resolverFiles = ["/etc/hosts", "/etc/resolv.conf"]

  package var spec: RuntimeSpec {
    let memory = limitedMemoryMiB.map {
      RuntimeSpec.Memory(limit: Int64($0 + Self.overheadMiB) << 20)
    }
    var devices: [RuntimeSpec.Device] = []
    var rules = [
      RuntimeSpec.DeviceRule(allow: false, access: "rwm"),
      RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "rw"),
      RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 9, access: "r"),
    ]
    if engine != nil {
      devices.append(
        RuntimeSpec.Device(path: "/dev/net/tun", type: "c", major: 10, minor: 200, fileMode: 0o600))
      rules.append(
        RuntimeSpec.DeviceRule(allow: true, type: "c", major: 10, minor: 200, access: "rw"))
    }
    if enclave != nil {
      for minor in [5, 7, 8] as [Int64] {
        rules.append(
          RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: minor, access: "rw"))
      }
    }
    if accelerator == .kvm {
      devices.append(
        RuntimeSpec.Device(path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o600))
      rules.append(
        RuntimeSpec.DeviceRule(allow: true, type: "c", major: 10, minor: 232, access: "rw"))
    }
    for device in hardware?.devices ?? [] {
      devices.append(
        RuntimeSpec.Device(
          path: device.path, type: "c", major: device.major, minor: device.minor, fileMode: 0o600))
      rules.append(
        RuntimeSpec.DeviceRule(
          allow: true, type: "c", major: device.major, minor: device.minor, access: "rw"))
    }
    var resources = RuntimeSpec.Resources(devices: rules, memory: memory)
    resources.cpu = engine?.linux?.resources?["cpu"]
    resources.pids = engine?.linux?.resources?["pids"]
    var process = RuntimeSpec.Process(
      args: [OuterPath.launcher], env: ["PATH=/usr/bin", "LC_ALL=C"])
    process.terminal = engine?.process?.terminal ?? false
    let capabilities =
      enclave?.capabilities ?? (folders.isEmpty ? [] : folderCapabilities)
    process.capabilities.bounding = capabilities
    process.capabilities.effective = capabilities
    process.capabilities.permitted = capabilities
    // KVM counts what it pins for SEV against this limit (Linux, arch/x86/kvm/svm/sev.c).
    if hardware != nil { process.rlimits = [RuntimeSpec.Limit("RLIMIT_MEMLOCK", .max)] }
    var spec = RuntimeSpec(
      process: process, root: RuntimeSpec.Root(path: root), hostname: "arca", mounts: mounts,
      linux: RuntimeSpec.Linux(
        namespaces: namespaces,
        // A user without root who has no group to give has no right to make one either.
        cgroupsPath: engine?.linux?.cgroupsPath
          ?? (ImageStore.isMachinesRoot ? OCIRuntime.controlGroup(id) : nil),
        resources: resources, devices: devices,
        // The workload itself calls this kernel where an enclave is only simulated.
        seccomp: enclave == nil
          ? RuntimeSpec.Seccomp(allowing: systemCalls + (folders.isEmpty ? [] : folderCalls)) : nil,
        maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]))
    spec.hooks = engine?.hooks
    spec.annotations = engine?.annotations
    return spec
  }

  /// All new but the network's, which is the engine's to choose.
  private var namespaces: [RuntimeSpec.Namespace] {
    let network = engine?.linux?.namespaces?.first { $0.type == "network" }
    return ["pid", "network", "mount", "ipc", "uts", "cgroup"].map {
      let path = $0 == "network" ? network?.path : nil
      return RuntimeSpec.Namespace($0, path: path?.isEmpty == true ? nil : path)
    }
  }

  private var mounts: [RuntimeSpec.Mount] {
    let fixed = ["nosuid", "nodev", "noexec"]
    let bind = { (target: String, source: String, access: String) in
      RuntimeSpec.Mount(
        target, type: "bind", source: source, options: ["bind", access] + fixed)
    }
    return [
      RuntimeSpec.Mount("/proc", type: "proc", source: "proc", options: fixed),
      RuntimeSpec.Mount(
        "/dev", type: "tmpfs", source: "tmpfs",
        options: ["nosuid", "noexec", "strictatime", "mode=755", "size=64k"]),
    ]
      + (engine?.process?.terminal == true
        ? [
          RuntimeSpec.Mount(
            "/dev/pts", type: "devpts", source: "devpts",
            options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"])
        ] : []) + [
        bind(OuterPath.guest, guest, "ro"),
        bind(OuterPath.job, folder + "/job", "ro"),
        bind(OuterPath.result, folder + "/run", "rw"),
      ] + (enclave?.mounts ?? [bind(OuterPath.rootFilesystem, rootFilesystem, "ro")])
      + (simulatedKey.map { [bind(OuterPath.simulatedKey, $0, "ro")] } ?? [])
      + volumes.enumerated().map { bind(OuterPath.volume($0), $1, "rw") }
      + folders.enumerated().map { index, folder in
        RuntimeSpec.Mount(
          OuterPath.folder(index), type: "bind", source: folder.source,
          options: [folder.isRecursive ? "rbind" : "bind", folder.isReadOnly ? "ro" : "rw"] + fixed)
      }
      + (engine?.mounts ?? []).compactMap { mount in
        guard Self.resolverFiles.contains(mount.destination), let source = mount.source else {
          return nil
        }
        return bind(mount.destination, source, "ro")
      }
      + (hardware?.mounts.map { mount in
        RuntimeSpec.Mount(
          mount.target, type: "bind", source: mount.source,
          options: ["bind", "ro", "nosuid", "nodev"])
      } ?? [])
  }
}

/// What QEMU, the C library and the launcher call; QEMU filters itself further once it has started.
private let systemCalls: [String] = [
  "accept4", "access", "arch_prctl", "bind", "brk", "capget", "capset", "chdir", "clock_getres",
  "clock_gettime", "clock_nanosleep", "clone", "clone3", "close", "close_range", "connect", "dup",
  "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
  "eventfd2", "execve", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
  "fchdir", "fcntl", "fdatasync", "flock", "fork", "fstat", "fstatfs", "fsync", "ftruncate",
  "futex", "futex_waitv", "getcwd", "getdents64", "getegid", "geteuid", "getgid", "getgroups",
  "getpeername", "getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresuid",
  "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid", "gettimeofday",
  "getuid",
  "ioctl", "kill", "listen", "lseek", "lstat", "madvise", "membarrier", "memfd_create", "mkdir",
  "mlock", "mmap", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open", "openat",
  "pause",
  "pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "poll", "ppoll", "prctl", "pread64",
  "preadv", "preadv2", "prlimit64", "pselect6", "pwrite64", "pwritev", "pwritev2", "read",
  "readlink", "readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat",
  "renameat2", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
  "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sched_get_priority_max",
  "sched_get_priority_min", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
  "sched_yield", "seccomp", "select", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
  "set_tid_address", "setitimer", "setgid", "setgroups", "setresgid", "setresuid", "setsid",
  "setsockopt", "setuid", "shutdown", "sigaltstack", "signalfd4", "socket", "socketpair", "stat",
  "statfs", "statx", "sysinfo", "tgkill", "timer_create", "timer_delete", "timer_getoverrun",
  "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
  "tkill", "umask", "uname", "unlink", "unlinkat", "vfork", "wait4", "waitid", "write", "writev",
]

/// What virtiofsd calls besides, to serve a folder to the guest.
private let folderCalls: [String] = [
  "accept", "chroot", "copy_file_range", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
  "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "getdents", "getxattr", "linkat",
  "listxattr", "mkdirat", "mknodat", "openat2", "removexattr", "sched_getattr", "sched_setattr",
  "setxattr", "symlinkat", "syncfs", "unshare", "utimensat",
]

/// What lets virtiofsd keep to the folder, and make files of the owners and modes that the workload
/// asks for; QEMU is started without them.
private let folderCapabilities = [
  "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP",
  "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
]
