#define _GNU_SOURCE
#include "arca_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

// Opens the folder and gives the address of `name` beneath it; the caller closes the folder.
static int address_in(const char *folder, const char *name, struct sockaddr_un *address) {
  int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  size_t room = sizeof address->sun_path;
  int length = snprintf(address->sun_path, room, "/proc/self/fd/%d/%s", fd, name);
  if (length < (int)room) return fd;
  close(fd);
  return -ENAMETOOLONG;
}

static int stream_socket(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

int arca_listen(const char *folder, const char *name) {
  struct sockaddr_un address;
  int place = address_in(folder, name, &address);
  if (place < 0) return place;
  int fd = stream_socket();
  if (fd >= 0) {
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
      int error = errno;
      close(fd);
      fd = -error;
    }
  }
  close(place);
  return fd;
}

int arca_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int connect_to(const struct sockaddr_un *address) {
  int fd = stream_socket();
  if (fd < 0) return fd;
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

int arca_connect(const char *folder, const char *name) {
  struct sockaddr_un address;
  int place = address_in(folder, name, &address);
  if (place < 0) return place;
  int fd = connect_to(&address);
  close(place);
  if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

static int send_descriptor(const char *path, int descriptor, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, path, strlen(path));
  int fd = connect_to(&address);
  if (fd < 0) return fd;
  struct iovec text = {.iov_base = (char *)name, .iov_len = strlen(name)};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &text,
                           .msg_iovlen = 1,
                           .msg_control = control.space,
                           .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  int result = sendmsg(fd, &message, 0) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int arca_console_open(const char *path, int rows, int columns) {
  char name[64];
  int ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours < 0) return -errno;
  int result = 0, theirs = -1;
  if (grantpt(ours) < 0 || unlockpt(ours) < 0 || ptsname_r(ours, name, sizeof name) != 0 ||
      (theirs = open(name, O_RDWR | O_CLOEXEC)) < 0)
    result = -errno;
  if (result == 0 && rows > 0 && columns > 0) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    ioctl(theirs, TIOCSWINSZ, &size);
  }
  if (result == 0 && ioctl(theirs, TIOCSCTTY, 0) < 0) result = -errno;
  if (result == 0) result = send_descriptor(path, ours, name);
  close(ours);
  if (result == 0) return theirs;
  if (theirs >= 0) close(theirs);
  return result;
}
