#include "arca_namespace.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

int arca_namespace_kind(int descriptor) {
  int kind = ioctl(descriptor, NS_GET_NSTYPE);
  return kind < 0 ? -errno : kind;
}
