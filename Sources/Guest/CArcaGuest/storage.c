#include "CArcaGuest.h"
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define DM_BYTES 4096

static _Alignas(8) char dm_buffer[DM_BYTES];

static struct dm_ioctl *dm_prepare(const char *name, uint32_t flags) {
  memset(dm_buffer, 0, DM_BYTES);
  struct dm_ioctl *request = (void *)dm_buffer;
  request->version[0] = DM_VERSION_MAJOR;
  request->data_size = DM_BYTES;
  request->data_start = sizeof *request;
  request->flags = flags;
  strncpy(request->name, name, sizeof request->name - 1);
  return request;
}

static int dm_control(void) { return open("/dev/mapper/control", O_RDWR | O_CLOEXEC); }

static int dm_load(int control, const char *name, const char *type, uint64_t sectors,
                   uint32_t flags, const char *before, const uint8_t *key, size_t key_bytes,
                   const char *after) {
  static const char digits[] = "0123456789abcdef";
  // The kernel wipes its copy of what comes with this flag.
  struct dm_ioctl *request = dm_prepare(name, flags | (key_bytes ? DM_SECURE_DATA_FLAG : 0));
  request->target_count = 1;
  struct dm_target_spec *target = (void *)(request + 1);
  target->length = sectors;
  strncpy(target->target_type, type, sizeof target->target_type - 1);
  char *table = (void *)(target + 1);
  size_t room = DM_BYTES - sizeof *request - sizeof *target;
  if (strlen(before) + 2 * key_bytes + strlen(after) + 1 > room) return -E2BIG;
  table = stpcpy(table, before);
  for (size_t at = 0; at < key_bytes; at++) {
    *table++ = digits[key[at] >> 4];
    *table++ = digits[key[at] & 15];
  }
  stpcpy(table, after);
  return ioctl(control, DM_TABLE_LOAD, dm_buffer) < 0 ? -errno : 0;
}

int arca_dm_create(const char *name, const char *type, uint64_t sectors, int is_read_only,
                   const char *before, const uint8_t *key, size_t key_bytes, const char *after) {
  uint32_t flags = is_read_only ? DM_READONLY_FLAG : 0;
  int control = dm_control();
  if (control < 0) return -errno;
  struct dm_ioctl *request = dm_prepare(name, flags);
  int result = ioctl(control, DM_DEV_CREATE, dm_buffer) < 0 ? -errno : (int)minor(request->dev);
  if (result >= 0) {
    int loaded = dm_load(control, name, type, sectors, flags, before, key, key_bytes, after);
    explicit_bzero(dm_buffer, DM_BYTES);
    if (loaded == 0) {
      // Resuming makes the loaded table the live one.
      dm_prepare(name, flags);
      loaded = ioctl(control, DM_DEV_SUSPEND, dm_buffer) < 0 ? -errno : 0;
    }
    if (loaded < 0) {
      dm_prepare(name, 0);
      ioctl(control, DM_DEV_REMOVE, dm_buffer);
      result = loaded;
    }
  }
  close(control);
  return result;
}

int arca_dm_remove(const char *name) {
  int control = dm_control();
  if (control < 0) return -errno;
  dm_prepare(name, 0);
  int result = ioctl(control, DM_DEV_REMOVE, dm_buffer) < 0 ? -errno : 0;
  close(control);
  return result;
}

int arca_verity_state(int control, const char *name) {
  struct dm_ioctl *request = dm_prepare(name, 0);
  if (ioctl(control, DM_TABLE_STATUS, dm_buffer) < 0) return -errno;
  if (request->target_count != 1 || request->data_start > DM_BYTES - 512) return -EIO;
  return *(dm_buffer + request->data_start + sizeof(struct dm_target_spec));
}

#define DISK_BLOCK 4096
#define DISK_BYTES (64 * DISK_BLOCK)

static _Alignas(DISK_BLOCK) uint8_t disk_buffer[DISK_BYTES];

int arca_disk_read(int fd, uint64_t offset, uint8_t *buffer, size_t count) {
  if (count > DISK_BYTES || count % DISK_BLOCK) return -EINVAL;
  ssize_t got = pread(fd, disk_buffer, count, (off_t)offset);
  if (got < 0) return -errno;
  if ((size_t)got != count) return -ENODATA;
  memcpy(buffer, disk_buffer, count);
  return 0;
}

int arca_disk_write(int fd, uint64_t offset, const uint8_t *buffer, size_t count) {
  if (count % DISK_BLOCK) return -EINVAL;
  while (count > 0) {
    size_t part = count < DISK_BYTES ? count : DISK_BYTES;
    memcpy(disk_buffer, buffer, part);
    ssize_t put = pwrite(fd, disk_buffer, part, (off_t)offset);
    if (put < 0) return -errno;
    if ((size_t)put != part) return -EIO;
    offset += part;
    buffer += part;
    count -= part;
  }
  return 0;
}

// linux/fs/ext4/ext4.h: EXT4_IOC_RESIZE_FS.
#define EXT4_RESIZE _IOW('f', 16, uint64_t)

int arca_ext4_resize(const char *path, uint64_t blocks) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (fd < 0) return -errno;
  int result = ioctl(fd, EXT4_RESIZE, &blocks) < 0 ? -errno : 0;
  close(fd);
  return result;
}
