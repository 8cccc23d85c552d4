#include "arca_attributes.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

long arca_attribute_names(const char *path, uint8_t *buffer, size_t count) {
  ssize_t result = llistxattr(path, (char *)buffer, count);
  return result < 0 ? -errno : result;
}

long arca_attribute(const char *path, const char *name, uint8_t *buffer, size_t count) {
  ssize_t result = lgetxattr(path, name, buffer, count);
  return result < 0 ? -errno : result;
}

long arca_link_target(const char *path, uint8_t *buffer, size_t count) {
  ssize_t result = readlink(path, (char *)buffer, count);
  return result < 0 ? -errno : result;
}
