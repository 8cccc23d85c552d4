#define _GNU_SOURCE
#include "CArcaGuest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int arca_load_module(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int arca_uevents_open(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (fd < 0) return -errno;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -errno;
  return fd;
}

int arca_uevent_take(int fd) {
  for (;;) {
    char buffer[1];
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    if (recvfrom(fd, buffer, 1, MSG_TRUNC, (struct sockaddr *)&sender, &length) < 0)
      return errno == ENOBUFS;
    // The workload can send to this group too; the kernel's port is 0.
    if (sender.nl_pid == 0) return 1;
  }
}

#define DM_BYTES 4096

static const char dm_name[] = "root";

static struct dm_ioctl *dm_prepare(void *buffer, uint32_t flags) {
  memset(buffer, 0, DM_BYTES);
  struct dm_ioctl *request = buffer;
  request->version[0] = DM_VERSION_MAJOR;
  request->data_size = DM_BYTES;
  request->data_start = sizeof *request;
  request->flags = flags;
  memcpy(request->name, dm_name, sizeof dm_name);
  return request;
}

int arca_verity_open(const char *table, uint64_t sectors) {
  _Alignas(8) char buffer[DM_BYTES];
  size_t length = strlen(table) + 1;
  if (length > DM_BYTES - sizeof(struct dm_ioctl) - sizeof(struct dm_target_spec)) return -E2BIG;
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  dm_prepare(buffer, DM_READONLY_FLAG);
  if (ioctl(control, DM_DEV_CREATE, buffer) < 0) return -errno;
  struct dm_ioctl *request = dm_prepare(buffer, DM_READONLY_FLAG);
  request->target_count = 1;
  struct dm_target_spec *target = (void *)(request + 1);
  target->length = sectors;
  memcpy(target->target_type, "verity", sizeof "verity");
  memcpy(target + 1, table, length);
  if (ioctl(control, DM_TABLE_LOAD, buffer) < 0) return -errno;
  // Resuming makes the loaded table the live one.
  dm_prepare(buffer, DM_READONLY_FLAG);
  if (ioctl(control, DM_DEV_SUSPEND, buffer) < 0) return -errno;
  return control;
}

int arca_verity_state(int control) {
  _Alignas(8) char buffer[DM_BYTES];
  struct dm_ioctl *request = dm_prepare(buffer, 0);
  if (ioctl(control, DM_TABLE_STATUS, buffer) < 0) return -errno;
  if (request->target_count != 1 || request->data_start > DM_BYTES - 512) return -EIO;
  return *(buffer + request->data_start + sizeof(struct dm_target_spec));
}

int arca_set_hostname(const char *name, size_t length) {
  return sethostname(name, length) < 0 ? -errno : 0;
}

int arca_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int result = ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int arca_random(uint8_t *buffer, size_t count) {
  return getrandom(buffer, count, 0) == (ssize_t)count ? 0 : -EIO;
}

// Embedded Swift seeds its hashing with this; musl has no such function.
void arc4random_buf(void *buffer, size_t count) { (void)getrandom(buffer, count, 0); }

void arca_power_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  // A kernel that cannot power off restarts, which ends a machine that may not reboot.
  reboot(RB_AUTOBOOT);
  _exit(1);
}

void arca_init_main(void);

int main(void) {
  umask(0);
  arca_init_main();
  arca_power_off();
}
