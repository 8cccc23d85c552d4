// The system calls that arca-init makes. Every function returns 0 or more, or the negated errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Same layout as struct pollfd.
struct arca_poll {
  int fd;
  short events;
  short revents;
};

enum { ARCA_POLLIN = 1, ARCA_POLLOUT = 4, ARCA_POLLERR = 8, ARCA_POLLHUP = 16 };

enum {
  ARCA_MS_RDONLY = 1,
  ARCA_MS_NOSUID = 2,
  ARCA_MS_NODEV = 4,
  ARCA_MS_NOEXEC = 8,
  ARCA_MS_REMOUNT = 32,
  ARCA_MS_BIND = 4096,
  ARCA_MS_MOVE = 8192,
};

// Files and mounts.
int arca_mount(const char *source, const char *target, const char *type, unsigned long flags,
               const char *data);
int arca_umount(const char *target);
int arca_open_read(const char *path);
int arca_open_port(const char *path);
int arca_create(const char *path, unsigned mode);
int arca_close(int fd);
long arca_read(int fd, uint8_t *buffer, size_t count);
long arca_write(int fd, const uint8_t *buffer, size_t count);
int arca_mkdir(const char *path, unsigned mode);
int arca_rmdir(const char *path);
int arca_mknod_char(const char *path, unsigned mode, unsigned major, unsigned minor);
int arca_symlink(const char *target, const char *path);
int arca_unlink(const char *path);
int arca_chown(const char *path, uint32_t uid, uint32_t gid);
int arca_chmod(const char *path, unsigned mode);
int arca_chroot(const char *path);
int arca_chdir(const char *path);
// 0 a file, 1 a folder.
int arca_is_folder(const char *path);
int arca_copy_owner_and_mode(const char *from, const char *to);
// Writes the entries of a folder, NUL after each, and returns how many bytes.
long arca_list(const char *path, uint8_t *buffer, size_t count);

// Copies a variable of the environment; how many bytes, 0 where there is none or it is longer.
size_t arca_environment(const char *name, uint8_t *buffer, size_t count);

// Kernel.
int arca_load_module(const char *path, int is_compressed);
int arca_uevents_open(void);
// 1 for an event of the kernel itself (or events lost), 0 when none waits.
int arca_uevent_take(int fd);
int arca_set_hostname(const char *name, size_t length);
int arca_loopback_up(void);
// Listens on 127.0.0.1, for few connections at a time.
int arca_listen_loopback(uint16_t port);
// Connects to 127.0.0.1.
int arca_connect_loopback(uint16_t port);
// The next connection, which does not block.
int arca_accept(int listener);
int arca_random(uint8_t *buffer, size_t count);
// Asks the TDX module itself: 64 bytes of report data in, a TDREPORT of 1024 bytes out.
int arca_trust_domain_report(const uint8_t *report_data, uint8_t *report);
// The monotonic clock.
uint64_t arca_milliseconds(void);
void arca_power_off(void);

// Block devices.
// Makes a device-mapper device of one target and returns the number N of its /dev/dm-N. The table
// is `before`, the key in hexadecimal, and `after`; no copy of the key stays behind.
int arca_dm_create(const char *name, const char *type, uint64_t sectors, int is_read_only,
                   const char *before, const uint8_t *key, size_t key_bytes, const char *after);
int arca_dm_remove(const char *name);
int arca_dm_control(void);
// The state that the dm-verity device `name` reports: 'V' valid, 'C' corrupted.
int arca_verity_state(int control, const char *name);
// Opens a disk past the page cache; reads and writes are of whole blocks of 4096 bytes.
int arca_disk_open(const char *path);
int arca_disk_read(int fd, uint64_t offset, uint8_t *buffer, size_t count);
int arca_disk_write(int fd, uint64_t offset, const uint8_t *buffer, size_t count);
int arca_disk_flush(int fd);
// Writes out everything that is cached.
void arca_sync(void);
// Grows the mounted ext4 at `path` to a number of its blocks.
int arca_ext4_resize(const char *path, uint64_t blocks);
// Network.
// Names the interface with this hardware address, brings it up, and returns its index.
int arca_interface_up(const uint8_t *mac, const char *name, uint32_t mtu);
// Addresses have 4 or 16 bytes.
int arca_address_add(int index, const uint8_t *address, size_t count, unsigned prefix);
enum { ARCA_TABLE_LOCAL = 255, ARCA_TABLE_MAIN = 254 };
// `gateway` and `source` have as many bytes as the destination, or are NULL.
int arca_route_add(int index, uint32_t table, const uint8_t *destination, size_t count,
                   unsigned prefix, const uint8_t *gateway, const uint8_t *source);
// Which table says where IPv4 packets go (ip-rule(8)), lower priorities first; table 0: nowhere.
// With `is_outgoing` packets that begin here alone; port 0 is any.
int arca_rule_add(uint32_t priority, uint32_t table, int is_outgoing, const uint8_t *destination,
                  unsigned prefix, uint16_t port);
// Removes the first rule, by which local addresses come before all else.
int arca_rule_remove_first(void);
// Lets packets with addresses of 127.0.0.0/8 in and out at an interface.
int arca_interface_admit_loopback(int index);

// WireGuard; keys have 32 bytes.
// Makes an interface, up, and returns its index.
int arca_wireguard_make(const char *name, uint32_t mtu);
// The public key of a private one, which the interface has then.
int arca_wireguard_public_key(int index, const uint8_t *private_key, uint8_t *public_key);
// Gives the interface its port, its key, and its one peer at an IPv4 address.
int arca_wireguard_set(int index, uint16_t port, const uint8_t *private_key,
                       const uint8_t *peer_key, const uint8_t *peer_address, uint16_t peer_port);

// Processes and descriptors.
int arca_pipe(int *reading, int *writing);
int arca_socket_pair(int *one, int *other);
int arca_change_owner(int fd, uint32_t uid, uint32_t gid);
int arca_nonblocking(int fd);
int arca_poll(struct arca_poll *items, size_t count, int timeout_milliseconds);
int arca_child_signals_open(void);
int arca_unshare_pids(void);
int arca_unshare_mounts(void);
// Enters the mount namespace of process `pid`, at its root.
int arca_join_mounts(int pid);
int arca_fork(void);
int arca_kill(int pid, int number);
// Reaps one child: its pid, or 0 when none has ended. The status is 0…255, or 128 + a signal.
int arca_wait(int *status);
int arca_restore_signals(void);
int arca_redirect(int from, int to);
int arca_close_from(int first);
void arca_exit(int status);

// Terminals.
// A new terminal that belongs to `uid`: init's end, the workload's end, and its number in /dev/pts.
int arca_terminal_open(uint32_t uid, int *terminal, int *workload, int *number);
int arca_terminal_take(void);
int arca_terminal_resize(int terminal, uint16_t rows, uint16_t columns);

// Identity.
int arca_rlimit(int resource, uint64_t soft, uint64_t hard);
int arca_bounding_set(uint64_t capabilities);
int arca_keep_capabilities(void);
int arca_identity(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t count);
// `ambient` is a part of `capabilities`.
int arca_capabilities(uint64_t capabilities, uint64_t ambient);
int arca_no_new_privileges(void);
void arca_umask(unsigned mask);
// `arguments` and `environment` are C strings one after another. Returns only on failure.
int arca_execute(const char *path, const char *arguments, size_t arguments_bytes,
                 const char *environment, size_t environment_bytes);
