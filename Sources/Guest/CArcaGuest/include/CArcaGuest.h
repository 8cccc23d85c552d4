// The system calls that arca-init makes: what the C library declares, for Swift too, and what Swift
// cannot call because it takes any number of arguments, or structures of the kernel's. Those return
// 0 or more, or the negated errno; the C library's set errno.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Files and mounts.
int arca_open(const char *path, int flags, mode_t mode);
dev_t arca_device(unsigned major, unsigned minor);
// Writes the entries of a folder, NUL after each, and returns how many bytes.
int arca_list(const char *path, uint8_t *buffer, size_t count);

// Kernel.
int arca_load_module(const char *path, int is_compressed);
int arca_uevents_open(void);
// 1 for an event of the kernel itself (or events lost), 0 when none waits.
int arca_uevent_take(int fd);
// Listens on 127.0.0.1, for few connections at a time.
int arca_listen_loopback(uint16_t port);
// Connects to 127.0.0.1.
int arca_connect_loopback(uint16_t port);
// Asks the TDX module itself: 64 bytes of report data in, a TDREPORT of 1024 bytes out.
int arca_trust_domain_report(const uint8_t *report_data, uint8_t *report);
// The monotonic clock.
uint64_t arca_milliseconds(void);

// Block devices.
// Makes a device-mapper device of one target and returns the number N of its /dev/dm-N. The table
// is `before`, the key in hexadecimal, and `after`; no copy of the key stays behind.
int arca_dm_create(const char *name, const char *type, uint64_t sectors, int is_read_only,
                   const char *before, const uint8_t *key, size_t key_bytes, const char *after);
int arca_dm_remove(const char *name);
// The state that the dm-verity device `name` reports: 'V' valid, 'C' corrupted.
int arca_verity_state(int control, const char *name);
// A disk is opened past the page cache; reads and writes are of whole blocks of 4096 bytes.
int arca_disk_read(int fd, uint64_t offset, uint8_t *buffer, size_t count);
int arca_disk_write(int fd, uint64_t offset, const uint8_t *buffer, size_t count);
// Grows the mounted ext4 at `path` to a number of its blocks.
int arca_ext4_resize(const char *path, uint64_t blocks);

// Processes and descriptors.
int arca_nonblocking(int fd);
int arca_child_signals_open(void);
// Enters the mount namespace of process `pid`, at its root.
int arca_join_mounts(int pid);
int arca_restore_signals(void);
int arca_redirect(int from, int to);
int arca_close_from(int first);

// Terminals.
// A new terminal that belongs to `uid`: init's end, the workload's end, and its number in /dev/pts.
int arca_terminal_open(uint32_t uid, int *terminal, int *workload, int *number);
int arca_terminal_take(void);
int arca_terminal_resize(int terminal, uint16_t rows, uint16_t columns);

// Capabilities.
int arca_bounding_set(uint64_t capabilities);
int arca_keep_capabilities(void);
// `ambient` is a part of `capabilities`.
int arca_capabilities(uint64_t capabilities, uint64_t ambient);
int arca_no_new_privileges(void);
