#include "netlink.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *extend(struct message *message, size_t bytes) {
  void *place = (char *)message + NLMSG_ALIGN(message->header.nlmsg_len);
  message->header.nlmsg_len = NLMSG_ALIGN(message->header.nlmsg_len) + bytes;
  return place;
}

void *message_begin(struct message *message, int type, int flags, size_t bytes) {
  *message = (struct message){.header = {.nlmsg_len = NLMSG_HDRLEN,
                                         .nlmsg_type = (unsigned short)type,
                                         .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags)}};
  return extend(message, bytes);
}

struct nlattr *message_add(struct message *message, int type, const void *data, size_t bytes) {
  struct nlattr *place = extend(message, NLA_HDRLEN + bytes);
  place->nla_type = (unsigned short)type;
  place->nla_len = (unsigned short)(NLA_HDRLEN + bytes);
  if (bytes > 0) memcpy((char *)place + NLA_HDRLEN, data, bytes);
  return place;
}

void message_end(struct message *message, struct nlattr *nest) {
  nest->nla_type |= NLA_F_NESTED;
  nest->nla_len = (unsigned short)((char *)message + message->header.nlmsg_len - (char *)nest);
}

long message_send(struct message *message, int protocol, void *answer, size_t max) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -errno;
  long count = send(fd, message, message->header.nlmsg_len, 0);
  if (count >= 0) count = recv(fd, answer, max, 0);
  if (count < 0) count = -errno;
  close(fd);
  const struct nlmsghdr *header = answer;
  if (count >= 0 && count < (long)NLMSG_LENGTH(sizeof(int))) return -EIO;
  if (count >= 0 && header->nlmsg_type == NLMSG_ERROR)
    return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
  return count;
}

const void *message_find(const void *answer, long count, size_t header_bytes, int type,
                         size_t bytes) {
  const char *at = (const char *)answer + NLMSG_LENGTH(header_bytes);
  const char *end = (const char *)answer + count;
  while (end - at >= NLA_HDRLEN) {
    const struct nlattr *attribute = (const void *)at;
    if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - at) return NULL;
    if ((attribute->nla_type & NLA_TYPE_MASK) == type)
      return attribute->nla_len == NLA_HDRLEN + bytes ? at + NLA_HDRLEN : NULL;
    at += NLA_ALIGN(attribute->nla_len);
  }
  return NULL;
}
