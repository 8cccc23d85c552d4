#include "CArcaGuest.h"
#include <time.h>

int arca_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

int arca_ioctl(int fd, unsigned long request, void *argument) {
  return ioctl(fd, (int)request, argument);
}

int arca_fcntl(int fd, int command, int value) { return fcntl(fd, command, value); }

int arca_prctl(int option, unsigned long first, unsigned long second) {
  return prctl(option, first, second, 0UL, 0UL);
}

long arca_syscall(long number, long first, long second, long third) {
  return syscall(number, first, second, third);
}

uint64_t arca_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Embedded Swift seeds its hashing with this; musl has no such function.
void arc4random_buf(void *buffer, size_t count) { (void)getrandom(buffer, count, 0); }
