#define _GNU_SOURCE
#include "arca_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int hide_unified_cgroup(void) {
  if (unshare(CLONE_NEWNS) != 0) return -errno;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return -errno;
  if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT)
    return -errno;
  return 0;
}

// Moves the wanted descriptors out of the way of the low numbers, then into them.
static int place(const int *descriptors, int count) {
  int moved[16];
  if (count > 16) return -E2BIG;
  for (int i = 0; i < count; i++) {
    int from = descriptors[i] >= 0 ? descriptors[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
    if (from < 0) return -errno;
    moved[i] = fcntl(from, F_DUPFD_CLOEXEC, 64);
    if (moved[i] < 0) return -errno;
  }
  for (int i = 0; i < count; i++)
    if (dup2(moved[i], i) < 0) return -errno;
  return 0;
}

static int drop_capabilities(uint64_t dropped) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return -errno;
  for (int i = 0; i < 2; i++) {
    data[i].effective &= ~(uint32_t)(dropped >> (32 * i));
    data[i].permitted &= ~(uint32_t)(dropped >> (32 * i));
  }
  return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

// What entering the root and ending the child takes stays with the caller: with it, the child could
// leave the root, or reach the caller's own through /proc.
static int enter(const char *root) {
  if (chroot(root) != 0 || chdir("/") != 0) return -errno;
  return drop_capabilities(1u << CAP_SYS_CHROOT | 1u << CAP_KILL);
}

static int prepare(const int *descriptors, int count, int flags, const char *root,
                   pid_t parent) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if ((flags & ARCA_SPAWN_SESSION) && setsid() < 0) return -errno;
  if (flags & ARCA_SPAWN_DIE_WITH_PARENT) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return -errno;
    if (getppid() != parent) return -ESRCH;
  }
  if (flags & ARCA_SPAWN_HIDE_UNIFIED_CGROUP) {
    int result = hide_unified_cgroup();
    if (result != 0) return result;
  }
  int result = place(descriptors, count);
  if (result != 0) return result;
  if (root != NULL) {
    result = enter(root);
    if (result != 0) return result;
  }
  if (flags & ARCA_SPAWN_WITHOUT_CAPABILITIES) {
    result = drop_capabilities(~0ull);
    if (result != 0) return result;
  }
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, NULL) == 0 ? 0 : -errno;
}

int arca_spawn(const char *path, char *const argv[], char *const envp[], const int *descriptors,
               int descriptor_count, int flags, const char *root) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;
  // Above every number that place() fills, so that dup2 cannot close it.
  int reporter = fcntl(report[1], F_DUPFD_CLOEXEC, 100);
  if (reporter < 0) {
    int error = errno;
    close(report[0]);
    close(report[1]);
    return -error;
  }
  close(report[1]);
  pid_t parent = getpid();
  // Between fork and exec only async-signal-safe calls; a signal must not reach the parent's
  // handlers in the child, so all are blocked across the fork.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) {
    int result = prepare(descriptors, descriptor_count, flags, root, parent);
    if (result == 0) {
      syscall(SYS_close_range, (unsigned)descriptor_count, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
      execve(path, argv, envp);
      result = -errno;
    }
    if (write(reporter, &result, sizeof result) < 0) _exit(126);
    _exit(127);
  }
  int fork_error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  close(reporter);
  if (pid < 0) {
    close(report[0]);
    return -fork_error;
  }
  int result = 0;
  ssize_t count;
  do count = read(report[0], &result, sizeof result);
  while (count < 0 && errno == EINTR);
  close(report[0]);
  if (count == 0) return pid;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  return count == sizeof result && result < 0 ? result : -EIO;
}

int arca_pidfd_open(int pid) {
  int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
  return descriptor < 0 ? -errno : descriptor;
}

int arca_pidfd_send_signal(int pidfd, int signal_number) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) == 0 ? 0 : -errno;
}

int arca_signalfd(uint64_t mask) {
  sigset_t set;
  sigemptyset(&set);
  for (int number = 1; number <= 64; number++)
    if (mask & (1ULL << (number - 1))) sigaddset(&set, number);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -errno;
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

int arca_signalfd_next(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t count = read(descriptor, &info, sizeof info);
  if (count == sizeof info) return (int)info.ssi_signo;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

// A background process that changes its terminal is stopped by SIGTTOU unless that is blocked.
static int set_attributes(int descriptor, const struct termios *attributes) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigprocmask(SIG_BLOCK, &set, &before);
  int result = tcsetattr(descriptor, TCSANOW, attributes) == 0 ? 0 : -errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  return result;
}

int arca_terminal_save(int descriptor, void *saved) {
  struct termios attributes;
  if (tcgetattr(descriptor, &attributes) != 0) return -errno;
  memcpy(saved, &attributes, sizeof attributes);
  return 0;
}

int arca_terminal_raw(int descriptor, void *saved) {
  int result = arca_terminal_save(descriptor, saved);
  if (result != 0) return result;
  struct termios attributes;
  memcpy(&attributes, saved, sizeof attributes);
  cfmakeraw(&attributes);
  return set_attributes(descriptor, &attributes);
}

int arca_terminal_restore(int descriptor, const void *saved) {
  struct termios attributes;
  memcpy(&attributes, saved, sizeof attributes);
  return set_attributes(descriptor, &attributes);
}

int arca_termios_bytes(void) { return (int)sizeof(struct termios); }

int64_t arca_terminal_size(int descriptor) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return -errno;
  return (int64_t)size.ws_row << 16 | size.ws_col;
}

int arca_lock(int descriptor, int wait) {
  while (flock(descriptor, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0)
    if (errno != EINTR) return -errno;
  return 0;
}

int arca_sync_file_system(int descriptor) { return syncfs(descriptor) == 0 ? 0 : -errno; }
