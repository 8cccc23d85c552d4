// Both ends of the network benchmark.
//
//   network serve PORT [PROGRAM ARGUMENT…]   serves each connection, and runs a program beside it
//   network in|out ADDRESS PORT SECONDS      prints megabits a second into or out of the server
//   network echo ADDRESS PORT SECONDS        prints the median round trip of 64 bytes, microseconds
//
// A connection's first byte says what is wanted: i (the server reads), o (it writes), e (it
// echoes).
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char block[256 << 10];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void check(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(2);
  }
}

static void answer(int fd) {
  int one = 1;
  long count;
  char what = 0;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (read(fd, &what, 1) != 1) return;
  if (what == 'i') {
    long long total = 0;
    while ((count = read(fd, block, sizeof block)) > 0) total += count;
    if (write(fd, &total, sizeof total) != sizeof total) exit(2);
  } else if (what == 'o') {
    while (write(fd, block, sizeof block) > 0) continue;
  } else {
    while ((count = read(fd, block, 64)) > 0 && write(fd, block, (size_t)count) > 0) continue;
  }
}

static void serve(int port, char **program) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
  check(listen(listener, 8), "listen");
  signal(SIGCHLD, SIG_IGN);
  if (*program && fork() == 0) {
    signal(SIGCHLD, SIG_DFL);
    execv(*program, program);
    perror(*program);
    _exit(127);
  }
  puts("serving");
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    if (fork() == 0) {
      answer(fd);
      _exit(0);
    }
    close(fd);
  }
}

static int open_to(char **arguments, char what) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1]))};
  inet_pton(AF_INET, arguments[0], &address.sin_addr);
  check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  check((int)write(fd, &what, 1), "write");
  return fd;
}

// What the server has read counts, not what was handed to this kernel.
static void measure_in(int fd, double seconds) {
  long long total = 0;
  double begin = now();
  while (now() - begin < seconds) check((int)write(fd, block, sizeof block), "write");
  shutdown(fd, SHUT_WR);
  if (read(fd, &total, sizeof total) != sizeof total) exit(2);
  printf("%.1f\n", (double)total * 8 / 1e6 / (now() - begin));
}

static void measure_out(int fd, double seconds) {
  long long total = 0;
  long count = 1;
  double begin = now();
  while (count > 0 && now() - begin < seconds) total += count = read(fd, block, sizeof block);
  check((int)count, "read");
  printf("%.1f\n", (double)total * 8 / 1e6 / (now() - begin));
}

static int by_size(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

static void measure_echo(int fd, double seconds) {
  static double times[1 << 20];
  size_t count = 0;
  for (double begin = now(); now() - begin < seconds && count < 1 << 20; count++) {
    double sent = now();
    check((int)write(fd, block, 64), "write");
    if (recv(fd, block, 64, MSG_WAITALL) != 64) exit(2);
    times[count] = now() - sent;
  }
  qsort(times, count, sizeof *times, by_size);
  printf("%.1f\n", times[count / 2] * 1e6);
}

int main(int count, char **arguments) {
  if (count >= 3 && !strcmp(arguments[1], "serve")) serve(atoi(arguments[2]), arguments + 3);
  if (count != 5) return 2;
  char what = arguments[1][0];
  int fd = open_to(arguments + 2, what);
  double seconds = atof(arguments[4]);
  if (what == 'i') measure_in(fd, seconds);
  else if (what == 'o') measure_out(fd, seconds);
  else measure_echo(fd, seconds);
  return 0;
}
