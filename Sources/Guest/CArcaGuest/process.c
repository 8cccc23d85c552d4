#define _GNU_SOURCE
#include "CArcaGuest.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define RESULT(call) ((call) < 0 ? -errno : 0)

_Static_assert(sizeof(struct arca_poll) == sizeof(struct pollfd), "layout of struct pollfd");

int arca_pipe(int *reading, int *writing) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  *reading = ends[0];
  *writing = ends[1];
  return 0;
}

int arca_socket_pair(int *one, int *other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -errno;
  *one = ends[0];
  *other = ends[1];
  return 0;
}

int arca_change_owner(int fd, uint32_t uid, uint32_t gid) { return RESULT(fchown(fd, uid, gid)); }

int arca_nonblocking(int fd) { return RESULT(fcntl(fd, F_SETFL, O_NONBLOCK)); }

int arca_poll(struct arca_poll *items, size_t count, int timeout_milliseconds) {
  int result = poll((struct pollfd *)items, count, timeout_milliseconds);
  if (result < 0) return errno == EINTR ? 0 : -errno;
  return result;
}

int arca_child_signals_open(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGPIPE);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int arca_unshare_pids(void) { return RESULT(unshare(CLONE_NEWPID)); }

int arca_unshare_mounts(void) { return RESULT(unshare(CLONE_NEWNS)); }

int arca_join_mounts(int pid) {
  int fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return -errno;
  int result = RESULT(setns(fd, CLONE_NEWNS));
  close(fd);
  return result;
}

int arca_fork(void) {
  pid_t pid = fork();
  return pid < 0 ? -errno : pid;
}

int arca_kill(int pid, int number) { return RESULT(kill(pid, number)); }

int arca_wait(int *status) {
  int raw;
  pid_t pid = waitpid(-1, &raw, WNOHANG);
  if (pid < 0) return errno == ECHILD ? 0 : -errno;
  if (pid > 0) *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  return pid;
}

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

void arca_exit(int status) { _exit(status); }

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

int arca_rlimit(int resource, uint64_t soft, uint64_t hard) {
  struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
  return RESULT(setrlimit(resource, &limit));
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

int arca_identity(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t count) {
  // With the right to do so these set real, effective and saved ids alike, and Gramine has them.
  if (setgroups(count, groups) < 0 || setgid(gid) < 0) return -errno;
  return RESULT(setuid(uid));
}

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

size_t arca_environment(const char *name, uint8_t *buffer, size_t count) {
  const char *value = getenv(name);
  size_t bytes = value == NULL ? 0 : strlen(value);
  if (bytes > count) return 0;
  if (bytes > 0) memcpy(buffer, value, bytes);
  return bytes;
}

int arca_no_new_privileges(void) { return RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

void arca_umask(unsigned mask) { umask(mask); }

static char **vector(const char *strings, size_t bytes) {
  size_t count = 0;
  for (size_t at = 0; at < bytes; at++) count += strings[at] == 0;
  char **pointers = calloc(count + 1, sizeof(char *));
  if (pointers == NULL) return NULL;
  count = 0;
  for (size_t at = 0; at < bytes; at += strlen(strings + at) + 1)
    pointers[count++] = (char *)strings + at;
  return pointers;
}

int arca_execute(const char *path, const char *arguments, size_t arguments_bytes,
                 const char *environment, size_t environment_bytes) {
  char **argv = vector(arguments, arguments_bytes);
  char **envp = vector(environment, environment_bytes);
  if (argv == NULL || envp == NULL) return -ENOMEM;
  execve(path, argv, envp);
  int result = -errno;
  free(argv);
  free(envp);
  return result;
}
