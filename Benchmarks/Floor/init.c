// The floor: a static init with nothing of Arca's.
//
// Without a disk it says "started" on the port and powers off. With one it mounts the same EROFS
// image that Arca would verify, unverified, and becomes the program that the file /command names,
// one argument a line, with the port as its output.
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void load(const char *path) {
  int module = open(path, O_RDONLY);
  if (module >= 0) syscall(SYS_finit_module, module, "", 0);
  close(module);
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

static void run(int output) {
  char text[4096] = "", *arguments[32], *rest = text;
  int file = open("/command", O_RDONLY), count = 0;
  if (read(file, text, sizeof text - 1) <= 0) return;
  while (count < 31 && (arguments[count] = strsep(&rest, "\n")) && *arguments[count]) count++;
  arguments[count] = NULL;
  while (mount("/dev/vda", "/root", "erofs", MS_RDONLY, NULL)) usleep(1000);
  mount("proc", "/root/proc", "proc", 0, NULL);
  mount("/dev", "/root/dev", NULL, MS_BIND, NULL);
  mount("tmpfs", "/root/tmp", "tmpfs", 0, NULL);
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &loopback);
  if (chroot("/root") || chdir("/") || dup2(output, 1) < 0 || dup2(output, 2) < 0) return;
  char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
  execve(arguments[0], arguments, environment);
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  load("/virtio_blk.ko");
  load("/erofs.ko");
  int output = port();
  if (access("/command", R_OK) == 0) {
    if (fork() == 0) {
      run(output);
      _exit(1);
    }
    wait(NULL);
  } else if (write(output, "started\n", 8) != 8) {
    return 1;
  }
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
