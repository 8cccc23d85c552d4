// The system calls that arca-init makes: what the C library declares, for Swift too, and calls that
// Swift cannot make because they take any number of arguments. All of them set errno.
#pragma once
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/dm-ioctl.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int arca_open(const char *path, int flags, mode_t mode);
int arca_ioctl(int fd, unsigned long request, void *argument);
int arca_fcntl(int fd, int command, int value);
int arca_prctl(int option, unsigned long first, unsigned long second);
long arca_syscall(long number, long first, long second, long third);
// The C library's, which declares it nowhere.
int capset(void *header, void *data);
// The monotonic clock.
uint64_t arca_milliseconds(void);
