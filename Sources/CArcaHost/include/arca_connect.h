#pragma once

#include <stddef.h>
#include <stdint.h>

// Starts a thread that connects to `host` (a name or an address) and `port` by TCP within 15
// seconds, and sends the outcome over the Unix socket `line`: the byte 128 with the connection's
// descriptor (SCM_RIGHTS), or 129, a 16-bit little-endian length and a text. Returns 0, or the
// negated errno.
int arca_connect_and_pass(int line, const char *host, uint16_t port);

// recvmsg: the bytes read, 0 at the end, or the negated errno; `passed` becomes a descriptor that
// came along (close-on-exec), or -1.
long arca_receive(int line, uint8_t *bytes, size_t count, int *passed);
