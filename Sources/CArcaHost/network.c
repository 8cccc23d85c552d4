#define _GNU_SOURCE
#include "arca_network.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int arca_network_enter(int fd) { return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0; }

// A netlink message that is being put together.
struct request {
  struct nlmsghdr header;
  char space[512];
};

static void *extend(struct request *request, size_t bytes) {
  void *place = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);
  request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + NLMSG_ALIGN(bytes);
  return place;
}

static struct rtattr *attribute(struct request *request, int type, const void *data, size_t bytes) {
  struct rtattr *place = extend(request, RTA_LENGTH(bytes));
  place->rta_type = type;
  place->rta_len = RTA_LENGTH(bytes);
  if (bytes > 0) memcpy(RTA_DATA(place), data, bytes);
  return place;
}

static void end_nest(struct request *request, struct rtattr *nest) {
  nest->rta_len = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len) - (char *)nest;
}

static int open_netlink(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  return fd < 0 ? -errno : fd;
}

// Sends a request and waits for the kernel's answer.
static int exchange(struct request *request) {
  int fd = open_netlink();
  if (fd < 0) return fd;
  request->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  char buffer[4096] __attribute__((aligned(8)));
  int result = -EIO;
  if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
    result = -errno;
  } else {
    ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    struct nlmsghdr *answer = (void *)buffer;
    if (count > 0 && NLMSG_OK(answer, count) && answer->nlmsg_type == NLMSG_ERROR)
      result = ((struct nlmsgerr *)NLMSG_DATA(answer))->error;
  }
  close(fd);
  return result;
}

// Asks for all objects of a kind and hands each message to `take`.
static int dump(int type, void (*take)(struct nlmsghdr *, void *), void *context) {
  int fd = open_netlink();
  if (fd < 0) return fd;
  struct request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
                                       .nlmsg_type = type,
                                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  int result = send(fd, &request, NLMSG_LENGTH(sizeof(struct ifinfomsg)), 0) < 0 ? -errno : 1;
  static char buffer[1 << 16] __attribute__((aligned(8)));
  while (result == 1) {
    ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      result = count < 0 ? -errno : -EIO;
      break;
    }
    int left = (int)count;
    for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) {
        result = 0;
      } else if (message->nlmsg_type == NLMSG_ERROR) {
        result = ((struct nlmsgerr *)NLMSG_DATA(message))->error;
      } else {
        take(message, context);
      }
    }
  }
  close(fd);
  return result;
}

struct list {
  void *items;
  int max;
  int count;
};

static void take_link(struct nlmsghdr *message, void *context) {
  struct list *list = context;
  if (list->count >= list->max) return;
  struct ifinfomsg *info = NLMSG_DATA(message);
  struct arca_link *link = (struct arca_link *)list->items + list->count++;
  *link = (struct arca_link){.index = info->ifi_index,
                             .is_ethernet = info->ifi_type == ARPHRD_ETHER,
                             .is_up = (info->ifi_flags & IFF_UP) != 0};
  int left = IFLA_PAYLOAD(message);
  for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_IFNAME) strncpy(link->name, RTA_DATA(a), sizeof link->name - 1);
    if (a->rta_type == IFLA_MTU) memcpy(&link->mtu, RTA_DATA(a), sizeof link->mtu);
    if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == 6) memcpy(link->mac, RTA_DATA(a), 6);
  }
}

static void take_address(struct nlmsghdr *message, void *context) {
  struct list *list = context;
  struct ifaddrmsg *info = NLMSG_DATA(message);
  size_t bytes = info->ifa_family == AF_INET ? 4 : info->ifa_family == AF_INET6 ? 16 : 0;
  if (bytes == 0 || list->count >= list->max) return;
  struct arca_address *address = (struct arca_address *)list->items + list->count++;
  *address = (struct arca_address){.index = (int)info->ifa_index,
                                   .bytes_count = (uint8_t)bytes,
                                   .prefix = info->ifa_prefixlen,
                                   .is_link_local = info->ifa_scope == RT_SCOPE_LINK};
  int left = IFA_PAYLOAD(message);
  for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    // IFA_LOCAL is the own address where IFA_ADDRESS is that of a peer; it comes second.
    if ((a->rta_type == IFA_ADDRESS || a->rta_type == IFA_LOCAL) && RTA_PAYLOAD(a) == bytes)
      memcpy(address->bytes, RTA_DATA(a), bytes);
  }
}

static void take_route(struct nlmsghdr *message, void *context) {
  struct list *list = context;
  struct rtmsg *info = NLMSG_DATA(message);
  size_t bytes = info->rtm_family == AF_INET ? 4 : info->rtm_family == AF_INET6 ? 16 : 0;
  if (bytes == 0 || list->count >= list->max || info->rtm_table != RT_TABLE_MAIN ||
      info->rtm_type != RTN_UNICAST || info->rtm_protocol == RTPROT_KERNEL)
    return;
  struct arca_route *route = (struct arca_route *)list->items + list->count++;
  *route = (struct arca_route){.bytes_count = (uint8_t)bytes, .prefix = info->rtm_dst_len};
  int left = RTM_PAYLOAD(message);
  for (struct rtattr *a = RTM_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == RTA_OIF) memcpy(&route->index, RTA_DATA(a), sizeof route->index);
    if (a->rta_type == RTA_DST && RTA_PAYLOAD(a) == bytes)
      memcpy(route->destination, RTA_DATA(a), bytes);
    if (a->rta_type == RTA_GATEWAY && RTA_PAYLOAD(a) == bytes) {
      memcpy(route->gateway, RTA_DATA(a), bytes);
      route->has_gateway = 1;
    }
  }
}

static int listed(int type, void (*take)(struct nlmsghdr *, void *), void *items, int max) {
  struct list list = {.items = items, .max = max};
  int result = dump(type, take, &list);
  return result < 0 ? result : list.count;
}

int arca_links(struct arca_link *links, int max) {
  return listed(RTM_GETLINK, take_link, links, max);
}

int arca_addresses(struct arca_address *addresses, int max) {
  return listed(RTM_GETADDR, take_address, addresses, max);
}

int arca_routes(struct arca_route *routes, int max) {
  return listed(RTM_GETROUTE, take_route, routes, max);
}

int arca_tap_make(const char *name, uint32_t mtu) {
  int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (tap < 0) return -errno;
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int result = 0;
  if (ioctl(tap, TUNSETIFF, &request) < 0 || ioctl(tap, TUNSETOWNER, 0) < 0 ||
      ioctl(tap, TUNSETPERSIST, 1) < 0)
    result = -errno;
  int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (result == 0 && plain < 0) result = -errno;
  if (result == 0) {
    request.ifr_mtu = (int)mtu;
    if (ioctl(plain, SIOCSIFMTU, &request) < 0) result = -errno;
  }
  if (result == 0) {
    request.ifr_flags = IFF_UP;
    if (ioctl(plain, SIOCSIFFLAGS, &request) < 0) result = -errno;
  }
  if (plain >= 0) close(plain);
  close(tap);
  if (result < 0) return result;
  int index = (int)if_nametoindex(name);
  return index > 0 ? index : -ENODEV;
}

static struct tcmsg *begin_tc(struct request *request, int type, int index, const char *kind) {
  *request = (struct request){.header = {.nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = type}};
  struct tcmsg *tc = extend(request, sizeof *tc);
  tc->tcm_ifindex = index;
  if (kind != NULL) attribute(request, TCA_KIND, kind, strlen(kind) + 1);
  return tc;
}

int arca_ingress_open(int index) {
  struct request request;
  struct tcmsg *tc = begin_tc(&request, RTM_NEWQDISC, index, "ingress");
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  tc->tcm_handle = 0xffff0000;
  tc->tcm_parent = TC_H_INGRESS;
  int result = exchange(&request);
  return result == -EEXIST ? 0 : result;
}

int arca_filter_remove(int index, int priority) {
  struct request request;
  struct tcmsg *tc = begin_tc(&request, RTM_DELTFILTER, index, NULL);
  tc->tcm_parent = 0xffff0000;
  tc->tcm_info = TC_H_MAKE((uint32_t)priority << 16, 0);
  int result = exchange(&request);
  return result == -ENOENT ? 0 : result;
}

int arca_filter_add(int index, int priority, uint16_t protocol, const struct arca_match *matches,
                    int count, int target, int fate) {
  struct request request;
  struct tcmsg *tc = begin_tc(&request, RTM_NEWTFILTER, index, "u32");
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  tc->tcm_parent = 0xffff0000;
  tc->tcm_info = TC_H_MAKE((uint32_t)priority << 16, __builtin_bswap16(protocol));
  struct rtattr *options = attribute(&request, TCA_OPTIONS, NULL, 0);
  // The keys follow the selector; one without a mask is what every packet matches.
  struct tc_u32_key keys[ARCA_MATCHES_MAX] = {0};
  struct tc_u32_sel selector = {.flags = TC_U32_TERMINAL, .nkeys = count > 0 ? count : 1};
  for (int i = 0; i < count && i < ARCA_MATCHES_MAX; i++) {
    keys[i].off = matches[i].offset;
    keys[i].val = __builtin_bswap32(matches[i].value);
    keys[i].mask = __builtin_bswap32(matches[i].mask);
  }
  char all[sizeof selector + sizeof keys];
  memcpy(all, &selector, sizeof selector);
  memcpy(all + sizeof selector, keys, sizeof keys);
  attribute(&request, TCA_U32_SEL, all, sizeof selector + selector.nkeys * sizeof keys[0]);
  if (target > 0) {
    struct rtattr *actions = attribute(&request, TCA_U32_ACT, NULL, 0);
    struct rtattr *first = attribute(&request, 1, NULL, 0);
    attribute(&request, TCA_ACT_KIND, "mirred", sizeof "mirred");
    struct rtattr *parameters = attribute(&request, TCA_ACT_OPTIONS, NULL, 0);
    static const int actions_after[] = {TC_ACT_STOLEN, TC_ACT_UNSPEC, TC_ACT_OK};
    struct tc_mirred mirred = {.action = actions_after[fate],
                               .eaction = fate == 0 ? TCA_EGRESS_REDIR : TCA_EGRESS_MIRROR,
                               .ifindex = (uint32_t)target};
    attribute(&request, TCA_MIRRED_PARMS, &mirred, sizeof mirred);
    end_nest(&request, parameters);
    end_nest(&request, first);
    end_nest(&request, actions);
  }
  end_nest(&request, options);
  return exchange(&request);
}

int arca_bridge_attach(const char *name, int index) {
  struct request request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(0),
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL}};
  struct ifinfomsg *info = extend(&request, sizeof *info);
  info->ifi_flags = info->ifi_change = IFF_UP;
  attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
  struct rtattr *kind = attribute(&request, IFLA_LINKINFO, NULL, 0);
  attribute(&request, IFLA_INFO_KIND, "bridge", sizeof "bridge" - 1);
  end_nest(&request, kind);
  int result = exchange(&request);
  if (result < 0 && result != -EEXIST) return result;
  uint32_t bridge = if_nametoindex(name);
  request = (struct request){
      .header = {.nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = RTM_NEWLINK}};
  info = extend(&request, sizeof *info);
  info->ifi_index = index;
  attribute(&request, IFLA_MASTER, &bridge, sizeof bridge);
  return exchange(&request);
}

int arca_link_remove(int index) {
  struct request request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = RTM_DELLINK}};
  struct ifinfomsg *info = extend(&request, sizeof *info);
  info->ifi_index = index;
  int result = exchange(&request);
  return result == -ENODEV ? 0 : result;
}
