#include "CArcaGuest.h"
#include <dirent.h>
#include <sys/sysmacros.h>

int arca_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

dev_t arca_device(unsigned major, unsigned minor) { return makedev(major, minor); }

int arca_list(const char *path, uint8_t *buffer, size_t count) {
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
  return (int)used;
}
