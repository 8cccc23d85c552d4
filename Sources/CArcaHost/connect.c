#define _GNU_SOURCE
#include "arca_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MILLISECONDS 15000

struct request {
  int line;
  char host[256];
  char port[8];
};

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

// A connected socket, or the negated errno.
static int try_address(const struct addrinfo *address, long long deadline) {
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = 0;
  if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      struct pollfd item = {.fd = fd, .events = POLLOUT};
      long long left = deadline - now();
      socklen_t length = sizeof error;
      if (left <= 0 || poll(&item, 1, (int)left) != 1)
        error = ETIMEDOUT;
      else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    }
  }
  if (error == 0) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }
  close(fd);
  return -error;
}

static void pass(int line, int fd) {
  uint8_t byte = 128;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space,
                           .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  (void)sendmsg(line, &message, MSG_NOSIGNAL);
}

static void fail(const struct request *request, const char *why) {
  uint8_t message[3 + 512];
  int length = snprintf((char *)message + 3, 512, "%s:%s: %s", request->host, request->port, why);
  if (length > 511) length = 511;
  message[0] = 129;
  message[1] = (uint8_t)length;
  message[2] = (uint8_t)(length >> 8);
  (void)send(request->line, message, (size_t)length + 3, MSG_NOSIGNAL);
}

static void *run(void *context) {
  struct request *request = context;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
  long long deadline = now() + TIMEOUT_MILLISECONDS;
  int result = getaddrinfo(request->host, request->port, &hints, &addresses);
  if (result != 0) {
    fail(request, gai_strerror(result));
  } else {
    int fd = -EHOSTUNREACH;
    for (struct addrinfo *each = addresses; each != NULL && fd < 0; each = each->ai_next)
      fd = try_address(each, deadline);
    freeaddrinfo(addresses);
    char text[128];
    if (fd < 0) {
      fail(request, strerror_r(-fd, text, sizeof text));
    } else {
      pass(request->line, fd);
      close(fd);
    }
  }
  free(request);
  return NULL;
}

int arca_connect_and_pass(int line, const char *host, uint16_t port) {
  struct request *request = calloc(1, sizeof *request);
  if (request == NULL) return -ENOMEM;
  request->line = line;
  snprintf(request->host, sizeof request->host, "%s", host);
  snprintf(request->port, sizeof request->port, "%u", port);
  pthread_t thread;
  int result = pthread_create(&thread, NULL, run, request);
  if (result != 0) {
    free(request);
    return -result;
  }
  pthread_detach(thread);
  return 0;
}

long arca_receive(int line, uint8_t *bytes, size_t count, int *passed) {
  struct iovec part = {.iov_base = bytes, .iov_len = count};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space,
                           .msg_controllen = sizeof control.space};
  long result;
  *passed = -1;
  do result = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(passed, CMSG_DATA(header), sizeof *passed);
  return result;
}
