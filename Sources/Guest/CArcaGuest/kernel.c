#include "CArcaGuest.h"
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>

// linux/module.h: the kernel unpacks the file itself.
#define MODULE_INIT_COMPRESSED_FILE 4

int arca_load_module(const char *path, int is_compressed) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int flags = is_compressed ? MODULE_INIT_COMPRESSED_FILE : 0;
  int result = syscall(SYS_finit_module, fd, "", flags) < 0 ? -errno : 0;
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

// A socket and 127.0.0.1 at `port`.
static int loopback(uint16_t port, int flags, struct sockaddr_in *address) {
  *address = (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

int arca_listen_loopback(uint16_t port) {
  struct sockaddr_in address;
  int fd = loopback(port, SOCK_NONBLOCK, &address);
  if (fd < 0 || bind(fd, (void *)&address, sizeof address) < 0 || listen(fd, 8) < 0) return -errno;
  return fd;
}

int arca_connect_loopback(uint16_t port) {
  struct sockaddr_in address;
  int fd = loopback(port, 0, &address);
  if (fd < 0 || connect(fd, (void *)&address, sizeof address) < 0) return -errno;
  return fd;
}

// linux/tdx-guest.h, which Debian 12's headers do not have yet.
struct tdx_report_req {
  uint8_t reportdata[64];
  uint8_t tdreport[1024];
};
#define TDX_CMD_GET_REPORT0 _IOWR('T', 1, struct tdx_report_req)

int arca_trust_domain_report(const uint8_t *report_data, uint8_t *report) {
  struct tdx_report_req request = {0};
  memcpy(request.reportdata, report_data, sizeof request.reportdata);
  int fd = open("/dev/tdx_guest", O_RDWR | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = ioctl(fd, TDX_CMD_GET_REPORT0, &request) < 0 ? -errno : 0;
  close(fd);
  if (result == 0) memcpy(report, request.tdreport, sizeof request.tdreport);
  return result;
}

uint64_t arca_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Embedded Swift seeds its hashing with this; musl has no such function.
void arc4random_buf(void *buffer, size_t count) { (void)getrandom(buffer, count, 0); }

void arca_init_main(void);

int main(void) {
  umask(0);
  arca_init_main();
  // Only a machine's first process can power it off.
  if (getenv("ARCA_TEE") != NULL) _exit(125);
  sync();
  reboot(RB_POWER_OFF);
  // A kernel that cannot power off restarts, which ends a machine that may not reboot.
  reboot(RB_AUTOBOOT);
  _exit(1);
}
