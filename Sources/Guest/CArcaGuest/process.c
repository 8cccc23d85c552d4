#include "CArcaGuest.h"
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <termios.h>

#define RESULT(call) ((call) < 0 ? -errno : 0)

int arca_child_signals_open(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGPIPE);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int arca_join_mounts(int pid) {
  int fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return -errno;
  int result = RESULT(setns(fd, CLONE_NEWNS));
  close(fd);
  return result;
}

int arca_nonblocking(int fd) { return RESULT(fcntl(fd, F_SETFL, O_NONBLOCK)); }

int arca_restore_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  return RESULT(sigprocmask(SIG_SETMASK, &set, NULL));
}

int arca_redirect(int from, int to) {
  if (from == to) return RESULT(fcntl(to, F_SETFD, 0));
  return RESULT(dup2(from, to));
}

int arca_close_from(int first) {
  // CLOEXEC rather than closing: the pipe that reports a failed execve is one of them.
  return RESULT(syscall(SYS_close_range, first, ~0U, 1U << 2));
}

int arca_terminal_open(uint32_t uid, int *terminal, int *workload, int *number) {
  int unlocked = 0;
  int fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -errno;
  if (ioctl(fd, TIOCSPTLCK, &unlocked) < 0 || ioctl(fd, TIOCGPTN, number) < 0) return -errno;
  int peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (peer < 0 || fchown(peer, uid, -1) < 0) return -errno;
  *terminal = fd;
  *workload = peer;
  return 0;
}

int arca_terminal_take(void) {
  if (setsid() < 0) return -errno;
  return RESULT(ioctl(0, TIOCSCTTY, 0));
}

int arca_terminal_resize(int terminal, uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return RESULT(ioctl(terminal, TIOCSWINSZ, &size));
}

int arca_bounding_set(uint64_t capabilities) {
  for (int number = 0; number < 64; number++) {
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) < 0) return 0;
    if (capabilities >> number & 1) continue;
    if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return -errno;
  }
  return 0;
}

int arca_keep_capabilities(void) { return RESULT(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)); }

int arca_capabilities(uint64_t capabilities, uint64_t ambient) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {0};
  for (int half = 0; half < 2; half++) {
    uint32_t bits = (uint32_t)(capabilities >> 32 * half);
    data[half].effective = bits;
    data[half].permitted = bits;
    data[half].inheritable = (uint32_t)(ambient >> 32 * half);
  }
  // What is not inheritable does not stay ambient either.
  if (syscall(SYS_capset, &header, data) < 0) return -errno;
  for (int number = 0; number < 64; number++) {
    if (!(ambient >> number & 1)) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0) return -errno;
  }
  return 0;
}

int arca_no_new_privileges(void) { return RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }
