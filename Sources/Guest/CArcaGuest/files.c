#include "CArcaGuest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RESULT(call)                                                                               \
  ({                                                                                               \
    long result = (call);                                                                          \
    result < 0 ? -errno : result;                                                                  \
  })

int arca_mount(const char *source, const char *target, const char *type, unsigned long flags,
               const char *data) {
  return RESULT(mount(source, target, type, flags, data));
}

int arca_umount(const char *target) { return RESULT(umount2(target, MNT_DETACH)); }

int arca_open_read(const char *path) { return RESULT(open(path, O_RDONLY | O_CLOEXEC)); }

int arca_open_port(const char *path) {
  return RESULT(open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK));
}

int arca_create(const char *path, unsigned mode) {
  return RESULT(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode));
}

int arca_close(int fd) { return RESULT(close(fd)); }

long arca_read(int fd, uint8_t *buffer, size_t count) {
  long result;
  do {
    result = RESULT(read(fd, buffer, count));
  } while (result == -EINTR);
  return result;
}

long arca_write(int fd, const uint8_t *buffer, size_t count) {
  long result;
  do {
    result = RESULT(write(fd, buffer, count));
  } while (result == -EINTR);
  return result;
}

int arca_mkdir(const char *path, unsigned mode) { return RESULT(mkdir(path, mode)); }

int arca_rmdir(const char *path) { return RESULT(rmdir(path)); }

int arca_mknod_char(const char *path, unsigned mode, unsigned major, unsigned minor) {
  return RESULT(mknod(path, S_IFCHR | mode, makedev(major, minor)));
}

int arca_symlink(const char *target, const char *path) { return RESULT(symlink(target, path)); }

int arca_unlink(const char *path) { return RESULT(unlink(path)); }

int arca_chown(const char *path, uint32_t uid, uint32_t gid) {
  return RESULT(chown(path, uid, gid));
}

int arca_chmod(const char *path, unsigned mode) { return RESULT(chmod(path, mode)); }

int arca_chroot(const char *path) { return RESULT(chroot(path)); }

int arca_chdir(const char *path) { return RESULT(chdir(path)); }

int arca_is_folder(const char *path) {
  struct stat status;
  if (stat(path, &status) < 0) return -errno;
  return S_ISDIR(status.st_mode);
}

int arca_copy_owner_and_mode(const char *from, const char *to) {
  struct stat status;
  if (stat(from, &status) < 0) return -errno;
  if (chown(to, status.st_uid, status.st_gid) < 0) return -errno;
  return RESULT(chmod(to, status.st_mode & 07777));
}

long arca_list(const char *path, uint8_t *buffer, size_t count) {
  DIR *folder = opendir(path);
  if (folder == NULL) return -errno;
  size_t used = 0;
  struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    size_t length = strlen(entry->d_name) + 1;
    if (entry->d_name[0] == '.' || length > count - used) continue;
    memcpy(buffer + used, entry->d_name, length);
    used += length;
  }
  closedir(folder);
  return (long)used;
}
