#define _GNU_SOURCE
#include "CArcaGuest.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int arca_interface_up(const uint8_t *mac, const char *name, uint32_t mtu) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int result = -ENODEV;
  struct ifreq request = {0};
  struct if_nameindex *all = if_nameindex();
  for (struct if_nameindex *at = all; at != NULL && at->if_index != 0; at++) {
    // Its hardware address is zero, which a host may name too.
    if (strcmp(at->if_name, "lo") == 0) continue;
    strncpy(request.ifr_name, at->if_name, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) continue;
    if (memcmp(request.ifr_hwaddr.sa_data, mac, 6) != 0) continue;
    result = (int)at->if_index;
    break;
  }
  if (all != NULL) if_freenameindex(all);
  if (result > 0 && strcmp(request.ifr_name, name) != 0) {
    strncpy(request.ifr_newname, name, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCSIFNAME, &request) < 0) result = -errno;
  }
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_mtu = (int)mtu;
  if (result > 0 && ioctl(fd, SIOCSIFMTU, &request) < 0) result = -errno;
  request.ifr_flags = IFF_UP;
  if (result > 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0) result = -errno;
  close(fd);
  return result;
}

struct request {
  struct nlmsghdr header;
  union {
    struct ifaddrmsg address;
    struct rtmsg route;
  } body;
  char attributes[128];
};

static void attribute(struct request *request, int type, const void *data, size_t count) {
  struct rtattr *place = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
  place->rta_type = type;
  place->rta_len = RTA_LENGTH(count);
  memcpy(RTA_DATA(place), data, count);
  request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_LENGTH(count);
}

static int exchange(struct request *request, int type) {
  request->header.nlmsg_type = type;
  request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  int result = -EIO;
  _Alignas(8) char answer[1024];
  if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
    result = -errno;
  } else if (recv(fd, answer, sizeof answer, 0) >= (ssize_t)NLMSG_LENGTH(sizeof(int))) {
    struct nlmsghdr *header = (void *)answer;
    if (header->nlmsg_type == NLMSG_ERROR) result = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
  }
  close(fd);
  return result;
}

static unsigned char family_of(size_t count) { return count == 4 ? AF_INET : AF_INET6; }

int arca_address_add(int index, const uint8_t *address, size_t count, unsigned prefix) {
  struct request request = {.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body.address)};
  request.body.address = (struct ifaddrmsg){.ifa_family = family_of(count),
                                            .ifa_prefixlen = (unsigned char)prefix,
                                            .ifa_flags = IFA_F_NODAD,
                                            .ifa_index = (unsigned)index};
  attribute(&request, IFA_LOCAL, address, count);
  attribute(&request, IFA_ADDRESS, address, count);
  return exchange(&request, RTM_NEWADDR);
}

int arca_route_add(int index, const uint8_t *destination, size_t count, unsigned prefix,
                   const uint8_t *gateway) {
  struct request request = {.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body.route)};
  request.body.route = (struct rtmsg){.rtm_family = family_of(count),
                                      .rtm_dst_len = (unsigned char)prefix,
                                      .rtm_table = RT_TABLE_MAIN,
                                      .rtm_protocol = RTPROT_BOOT,
                                      .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                                      .rtm_type = RTN_UNICAST};
  if (prefix > 0) attribute(&request, RTA_DST, destination, count);
  if (gateway != NULL) attribute(&request, RTA_GATEWAY, gateway, count);
  attribute(&request, RTA_OIF, &index, sizeof index);
  return exchange(&request, RTM_NEWROUTE);
}
