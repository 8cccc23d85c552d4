// Messages to the kernel by netlink(7).
#pragma once
#include <linux/netlink.h>
#include <stddef.h>

// A message that is being put together: a header, one of the family, and attributes.
struct message {
  struct nlmsghdr header;
  char space[508];
};

// Begins a message; the place for the family's header of `bytes`, which is zero.
void *message_begin(struct message *message, int type, int flags, size_t bytes);
// Appends an attribute; one without data can be a nest, which message_end closes.
struct nlattr *message_add(struct message *message, int type, const void *data, size_t bytes);
void message_end(struct message *message, struct nlattr *nest);
// Sends it by a protocol of netlink and reads one answer, at most `max` bytes: how many, 0 where it
// is an acknowledgement alone, or the negated errno.
long message_send(struct message *message, int protocol, void *answer, size_t max);
// The attribute of `type` behind the family's header of `header_bytes` in an answer, or NULL; its
// data has `bytes`.
const void *message_find(const void *answer, long count, size_t header_bytes, int type,
                         size_t bytes);
