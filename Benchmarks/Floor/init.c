// The floor: a static init with nothing of Arca's.
//
// Without a disk it says "started" on the port and powers off. With one it mounts the same EROFS
// image that Arca would verify, unverified, and becomes the program that the file /command names,
// one argument a line, with the port as its output. /modules holds the kernel modules in their
// order, /address the address and mask of the network card, /overlay says that writes go to an
// overlay in memory as in a container, each where there is need of it.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../Instructions/mark.h"

#define COMPRESSED_FILE 4  // MODULE_INIT_COMPRESSED_FILE of linux/module.h

static void load_modules(void) {
  struct dirent **names;
  int count = scandir("/modules", &names, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[300];
    snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
    int module = open(path, O_RDONLY);
    if (syscall(SYS_finit_module, module, "", 0))
      syscall(SYS_finit_module, module, "", COMPRESSED_FILE);
    close(module);
  }
}

static int port(void) {
  int port = -1;
  char path[] = "/dev/vport0p1";
  while (port < 0) {
    port = open(path, O_RDWR);
    path[10] = path[10] == '3' ? '0' : path[10] + 1;
  }
  return port;
}

static int bring_up(int fd, const char *name) {
  struct ifreq request = {.ifr_flags = IFF_UP};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  return ioctl(fd, SIOCSIFFLAGS, &request);
}

static void set_address(int fd, unsigned long what, const char *text) {
  struct ifreq request = {.ifr_name = "eth0"};
  struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
  address->sin_family = AF_INET;
  inet_pton(AF_INET, text, &address->sin_addr);
  if (ioctl(fd, what, &request)) perror(text);
}

static void network(void) {
  char address[64] = "", mask[64] = "";
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  bring_up(fd, "lo");
  FILE *file = fopen("/address", "r");
  if (!file || fscanf(file, "%63s %63s", address, mask) != 2) return;
  while (bring_up(fd, "eth0")) usleep(1000);
  set_address(fd, SIOCSIFADDR, address);
  set_address(fd, SIOCSIFNETMASK, mask);
}

static void cover(void) {
  const char *folders[] = {"/writes", "/covered", "/writes/upper", "/writes/work"};
  mkdir(folders[0], 0755);
  mount("tmpfs", folders[0], "tmpfs", 0, NULL);
  for (int i = 1; i < 4; i++) mkdir(folders[i], 0755);
  if (mount("overlay", folders[1], "overlay", 0,
            "lowerdir=/root,upperdir=/writes/upper,workdir=/writes/work") ||
      mount(folders[1], "/root", NULL, MS_BIND, NULL))
    perror("overlay");
}

static void run(int output) {
  char text[4096] = "", *arguments[32], *rest = text;
  int file = open("/command", O_RDONLY), count = 0;
  if (read(file, text, sizeof text - 1) <= 0) return;
  while (count < 31 && (arguments[count] = strsep(&rest, "\n")) && *arguments[count]) count++;
  arguments[count] = NULL;
  while (mount("/dev/vda", "/root", "erofs", MS_RDONLY, NULL)) usleep(1000);
  if (access("/overlay", R_OK) == 0) cover();
  mount("proc", "/root/proc", "proc", 0, NULL);
  mount("sysfs", "/root/sys", "sysfs", 0, NULL);
  mount("/dev", "/root/dev", NULL, MS_BIND, NULL);
  mount("tmpfs", "/root/tmp", "tmpfs", 0, NULL);
  network();
  if (chroot("/root") || chdir("/") || dup2(output, 1) < 0 || dup2(output, 2) < 0) return;
  char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  execve(arguments[0], arguments, environment);
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  load_modules();
  int output = port();
  if (access("/command", R_OK) == 0) {
    pid_t program = fork();
    if (program == 0) {
      run(output);
      _exit(1);
    }
    while (wait(NULL) != program) continue;
  } else {
    MARK();
    if (write(output, "started\n", 8) != 8) return 1;
  }
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
