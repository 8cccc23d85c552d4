import ArcaOCI
import ArcaTEE
import Foundation

/// The OCI configuration of the container that holds QEMU and the launcher, and nothing else.
struct OuterContainer {
  /// Memory that QEMU and the launcher may need beside the guest's, where memory is limited.
  static let overheadMiB = 256

  var id: String
  /// The folder of the container in Arca's state.
  var folder: String
  /// The root of ``OuterRoot``.
  var root: String
  var guest: String
  var rootFilesystem: String
  var simulatedPSP: String
  var accelerator: Accelerator
  /// Guest memory, where the control group is to limit it.
  var limitedMemoryMiB: Int?

  var spec: RuntimeSpec {
    let memory = limitedMemoryMiB.map {
      RuntimeSpec.Memory(limit: Int64($0 + Self.overheadMiB) << 20)
    }
    var devices: [RuntimeSpec.Device] = []
    var rules = [
      RuntimeSpec.DeviceRule(allow: false, access: "rwm"),
      RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "rw"),
      RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 9, access: "r"),
    ]
    if accelerator == .kvm {
      devices.append(
        RuntimeSpec.Device(path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o600))
      rules.append(
        RuntimeSpec.DeviceRule(allow: true, type: "c", major: 10, minor: 232, access: "rw"))
    }
    return RuntimeSpec(
      process: RuntimeSpec.Process(
        args: [OuterPath.launcher], env: ["PATH=/usr/bin", "LC_ALL=C"]),
      root: RuntimeSpec.Root(path: root), hostname: "arca", mounts: mounts,
      linux: RuntimeSpec.Linux(
        namespaces: ["pid", "network", "mount", "ipc", "uts", "cgroup"].map {
          RuntimeSpec.Namespace($0)
        },
        cgroupsPath: OCIRuntime.controlGroup(id),
        resources: RuntimeSpec.Resources(devices: rules, memory: memory), devices: devices,
        seccomp: RuntimeSpec.Seccomp(allowing: systemCalls),
        maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]))
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
      bind(OuterPath.guest, guest, "ro"),
      bind(OuterPath.rootFilesystem, rootFilesystem, "ro"),
      bind(OuterPath.simulatedPSP, simulatedPSP, "ro"),
      bind(OuterPath.job, folder + "/job", "ro"),
      bind(OuterPath.result, folder + "/run", "rw"),
    ]
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
  "ioctl", "kill", "lseek", "lstat", "madvise", "membarrier", "memfd_create", "mkdir", "mlock",
  "mmap", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open", "openat", "pause",
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
