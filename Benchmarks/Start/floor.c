// The floor: a static init that says so on the channel's port and powers off.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  int port = -1;
  char path[] = "/dev/vport0p1";
  while (port < 0) {
    port = open(path, O_RDWR);
    path[10] = path[10] == '3' ? '0' : path[10] + 1;
  }
  if (write(port, "started\n", 8) != 8) return 1;
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
