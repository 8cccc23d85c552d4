#define _GNU_SOURCE
#include "CArcaGuest.h"
#include "netlink.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <netinet/in.h>
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

// Has the kernel do what a message of its routing family says.
static int perform(struct message *message) {
  _Alignas(8) char answer[1024];
  message->header.nlmsg_flags |= NLM_F_ACK;
  return (int)message_send(message, NETLINK_ROUTE, answer, sizeof answer);
}

static unsigned char family_of(size_t count) { return count == 4 ? AF_INET : AF_INET6; }

int arca_address_add(int index, const uint8_t *address, size_t count, unsigned prefix) {
  struct message message;
  struct ifaddrmsg *header =
      message_begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *header);
  *header = (struct ifaddrmsg){.ifa_family = family_of(count),
                               .ifa_prefixlen = (unsigned char)prefix,
                               .ifa_flags = IFA_F_NODAD,
                               .ifa_index = (unsigned)index};
  message_add(&message, IFA_LOCAL, address, count);
  message_add(&message, IFA_ADDRESS, address, count);
  return perform(&message);
}

int arca_route_add(int index, uint32_t table, const uint8_t *destination, size_t count,
                   unsigned prefix, const uint8_t *gateway, const uint8_t *source) {
  struct message message;
  struct rtmsg *header =
      message_begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *header);
  *header = (struct rtmsg){.rtm_family = family_of(count),
                           .rtm_dst_len = (unsigned char)prefix,
                           .rtm_protocol = RTPROT_BOOT,
                           .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                           .rtm_type = RTN_UNICAST};
  message_add(&message, RTA_TABLE, &table, sizeof table);
  if (prefix > 0) message_add(&message, RTA_DST, destination, count);
  if (gateway) message_add(&message, RTA_GATEWAY, gateway, count);
  if (source) message_add(&message, RTA_PREFSRC, source, count);
  message_add(&message, RTA_OIF, &index, sizeof index);
  return perform(&message);
}

static void begin_rule(struct message *message, int type, uint32_t priority, unsigned prefix,
                       uint32_t table) {
  struct fib_rule_hdr *header = message_begin(message, type, NLM_F_CREATE, sizeof *header);
  *header = (struct fib_rule_hdr){.family = AF_INET,
                                  .dst_len = (unsigned char)prefix,
                                  .action = table ? FR_ACT_TO_TBL : FR_ACT_BLACKHOLE};
  message_add(message, FRA_PRIORITY, &priority, sizeof priority);
  if (table) message_add(message, FRA_TABLE, &table, sizeof table);
}

int arca_rule_add(uint32_t priority, uint32_t table, int is_outgoing, const uint8_t *destination,
                  unsigned prefix, uint16_t port) {
  struct message message;
  begin_rule(&message, RTM_NEWRULE, priority, prefix, table);
  if (prefix > 0) message_add(&message, FRA_DST, destination, 4);
  if (is_outgoing) message_add(&message, FRA_IIFNAME, "lo", sizeof "lo");
  struct fib_rule_port_range range = {port, port};
  if (port) message_add(&message, FRA_DPORT_RANGE, &range, sizeof range);
  return perform(&message);
}

int arca_rule_remove_first(void) {
  struct message message;
  begin_rule(&message, RTM_DELRULE, 0, 0, RT_TABLE_LOCAL);
  return perform(&message);
}

int arca_interface_admit_loopback(int index) {
  struct message message;
  struct ifinfomsg *header = message_begin(&message, RTM_NEWLINK, 0, sizeof *header);
  header->ifi_index = index;
  struct nlattr *families = message_add(&message, IFLA_AF_SPEC, NULL, 0);
  struct nlattr *family = message_add(&message, AF_INET, NULL, 0);
  struct nlattr *settings = message_add(&message, IFLA_INET_CONF, NULL, 0);
  uint32_t on = 1;
  message_add(&message, IPV4_DEVCONF_ROUTE_LOCALNET, &on, sizeof on);
  message_add(&message, IPV4_DEVCONF_ACCEPT_LOCAL, &on, sizeof on);
  message_end(&message, settings);
  message_end(&message, family);
  message_end(&message, families);
  return perform(&message);
}

int arca_wireguard_make(const char *name, uint32_t mtu) {
  struct message message;
  struct ifinfomsg *header =
      message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *header);
  header->ifi_flags = header->ifi_change = IFF_UP;
  message_add(&message, IFLA_IFNAME, name, strlen(name) + 1);
  message_add(&message, IFLA_MTU, &mtu, sizeof mtu);
  struct nlattr *kind = message_add(&message, IFLA_LINKINFO, NULL, 0);
  message_add(&message, IFLA_INFO_KIND, WG_GENL_NAME, sizeof WG_GENL_NAME);
  message_end(&message, kind);
  int result = perform(&message);
  if (result < 0) return result;
  int index = (int)if_nametoindex(name);
  return index > 0 ? index : -ENODEV;
}

// The number that the kernel gave its family for WireGuard.
static int wireguard_family(void) {
  struct message message;
  _Alignas(8) char answer[4096];
  struct genlmsghdr *header = message_begin(&message, GENL_ID_CTRL, 0, sizeof *header);
  *header = (struct genlmsghdr){.cmd = CTRL_CMD_GETFAMILY, .version = 1};
  message_add(&message, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME, sizeof WG_GENL_NAME);
  long count = message_send(&message, NETLINK_GENERIC, answer, sizeof answer);
  if (count < 0) return (int)count;
  const uint16_t *id =
      message_find(answer, count, sizeof *header, CTRL_ATTR_FAMILY_ID, sizeof *id);
  return id ? *id : -ENOENT;
}

static int wireguard_begin(struct message *message, int command, int flags, int index) {
  int family = wireguard_family();
  if (family < 0) return family;
  struct genlmsghdr *header = message_begin(message, family, flags, sizeof *header);
  *header = (struct genlmsghdr){.cmd = (uint8_t)command, .version = WG_GENL_VERSION};
  message_add(message, WGDEVICE_A_IFINDEX, &index, sizeof index);
  return 0;
}

int arca_wireguard_public_key(int index, const uint8_t *private_key, uint8_t *public_key) {
  struct message message;
  _Alignas(8) char answer[4096];
  int result = wireguard_begin(&message, WG_CMD_SET_DEVICE, NLM_F_ACK, index);
  if (result < 0) return result;
  message_add(&message, WGDEVICE_A_PRIVATE_KEY, private_key, WG_KEY_LEN);
  long count = message_send(&message, NETLINK_GENERIC, answer, sizeof answer);
  explicit_bzero(&message, sizeof message);
  if (count == 0) result = wireguard_begin(&message, WG_CMD_GET_DEVICE, NLM_F_DUMP, index);
  if (count == 0 && result == 0)
    count = message_send(&message, NETLINK_GENERIC, answer, sizeof answer);
  if (count < 0) return (int)count;
  const void *key = message_find(answer, count, sizeof(struct genlmsghdr), WGDEVICE_A_PUBLIC_KEY,
                                 WG_KEY_LEN);
  if (result == 0 && key == NULL) result = -ENOKEY;
  if (result == 0) memcpy(public_key, key, WG_KEY_LEN);
  // It holds the private key as well.
  explicit_bzero(answer, sizeof answer);
  return result;
}

int arca_wireguard_set(int index, uint16_t port, const uint8_t *private_key,
                       const uint8_t *peer_key, const uint8_t *peer_address, uint16_t peer_port) {
  struct message message;
  _Alignas(8) char answer[1024];
  int result = wireguard_begin(&message, WG_CMD_SET_DEVICE, NLM_F_ACK, index);
  if (result < 0) return result;
  message_add(&message, WGDEVICE_A_PRIVATE_KEY, private_key, WG_KEY_LEN);
  message_add(&message, WGDEVICE_A_LISTEN_PORT, &port, sizeof port);
  struct nlattr *peers = message_add(&message, WGDEVICE_A_PEERS, NULL, 0);
  struct nlattr *peer = message_add(&message, 0, NULL, 0);
  message_add(&message, WGPEER_A_PUBLIC_KEY, peer_key, WG_KEY_LEN);
  struct sockaddr_in endpoint = {.sin_family = AF_INET, .sin_port = htons(peer_port)};
  memcpy(&endpoint.sin_addr, peer_address, 4);
  message_add(&message, WGPEER_A_ENDPOINT, &endpoint, sizeof endpoint);
  // All that comes from this peer, since nothing but its packets takes this interface.
  struct nlattr *allowed = message_add(&message, WGPEER_A_ALLOWEDIPS, NULL, 0);
  struct nlattr *any = message_add(&message, 0, NULL, 0);
  uint16_t family = AF_INET;
  message_add(&message, WGALLOWEDIP_A_FAMILY, &family, sizeof family);
  message_add(&message, WGALLOWEDIP_A_IPADDR, "\0\0\0", 4);
  message_add(&message, WGALLOWEDIP_A_CIDR_MASK, "", 1);
  message_end(&message, any);
  message_end(&message, allowed);
  message_end(&message, peer);
  message_end(&message, peers);
  result = (int)message_send(&message, NETLINK_GENERIC, answer, sizeof answer);
  explicit_bzero(&message, sizeof message);
  return result;
}
