// The network namespace that an engine made, and its interfaces, by netlink.
// Every function returns 0 or more, or the negated errno.
#pragma once

#include <stdint.h>

struct arca_link {
  int index;
  uint32_t mtu;
  int is_ethernet;
  int is_up;
  uint8_t mac[6];
  char name[16];
};

struct arca_address {
  int index;
  uint8_t bytes_count; // 4 or 16
  uint8_t prefix;
  uint8_t is_link_local;
  uint8_t bytes[16];
};

struct arca_route {
  int index;
  uint8_t bytes_count; // 4 or 16
  uint8_t prefix;
  uint8_t has_gateway;
  uint8_t destination[16];
  uint8_t gateway[16];
};

// Enters the network namespace that `fd` is open on; for the calling thread alone.
int arca_network_enter(int fd);
// Each fills at most `max` and returns how many there are.
int arca_links(struct arca_link *links, int max);
int arca_addresses(struct arca_address *addresses, int max);
int arca_routes(struct arca_route *routes, int max);
// Makes a tap that stays and that processes of root may open without a capability. EBUSY: it is in
// use. Returns its index.
int arca_tap_make(const char *name, uint32_t mtu);
// Makes the bridge `name` where there is none, and interface `index` a port of it.
int arca_bridge_attach(const char *name, int index);
// Removes an interface; one that is not there is fine.
int arca_link_remove(int index);

// What a packet is to have: a word at an offset into its network header.
struct arca_match {
  int offset;
  uint32_t value;
  uint32_t mask;
};
#define ARCA_MATCHES_MAX 4

// Lets filters be attached to what comes in at an interface; done before is fine.
int arca_ingress_open(int index);
// Adds a filter to what comes in at interface `index`: packets of the Ethernet `protocol` (0x0003:
// any) that have all of `matches` go out at `target`: themselves (fate 0), or a copy, and later
// filters see them too (1), or this namespace's own stack does (2). Without a target they go to
// that stack alone. Lower priorities first.
int arca_filter_add(int index, int priority, uint16_t protocol, const struct arca_match *matches,
                    int count, int target, int fate);
// Removes the filters of a priority; none is fine.
int arca_filter_remove(int index, int priority);
