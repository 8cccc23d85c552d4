// What a workload does, timed from inside.
//
//   steady DEVICE-OR-FILE BYTES      reads, processor, system calls, memory, programs
//   steady volume FOLDER BYTES       writes to and reads from a file system
//
// Prints "begin NAME" before each part, so that the host can look at its own clocks, and "NAME
// SECONDS" after it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static int run(char *const arguments[]) {
  pid_t child = fork();
  if (child == 0) {
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0), dup2(nothing, 1), dup2(nothing, 2);
    execvp(arguments[0], arguments);
    _exit(127);
  }
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double begin(const char *name) {
  printf("begin %s\n", name);
  fflush(stdout);
  usleep(20000);  // the host has seen it
  return now();
}

static void report(const char *name, double begun) {
  printf("%s %.6f\n", name, now() - begun);
  fflush(stdout);
}

static void cpu(void) {
  double begun = begin("cpu");
  uint64_t x = 88172645463325252u;
  for (long i = 0; i < 300000000; i++) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  volatile uint64_t keep = x;
  (void)keep;
  report("cpu", begun);
}

static void calls(void) {
  double begun = begin("syscall");
  for (int i = 0; i < 1200000; i++) syscall(SYS_getppid);
  report("syscall", begun);
}

static void forks(void) {
  double begun = begin("fork-exec");
  for (int i = 0; i < 200; i++) run((char *[]){"/proc/self/exe", NULL});
  report("fork-exec", begun);
}

static void memory(void) {
  size_t bytes = 32 << 20;
  char *a = malloc(bytes), *b = malloc(bytes);
  memset(a, 1, bytes), memset(b, 2, bytes);
  double begun = begin("memory");
  for (int i = 0; i < 24; i++) memcpy(i % 2 ? a : b, i % 2 ? b : a, bytes);
  report("memory", begun);
  free(a), free(b);
}

// Each block at most once, so that none comes from the page cache: a cycle through a power of two.
static void reads(const char *path, size_t bytes) {
  static char block[1 << 20];
  int file = open(path, O_RDONLY);
  if (file < 0) fail(path);
  size_t half = bytes / 2, blocks = half / 4096, at = 1;
  posix_fadvise(file, half, half, POSIX_FADV_RANDOM);
  double begun = begin("read-random");
  for (int i = 0; i < 1500; i++) {
    at = (at * 1664525 + 1013904223) & (blocks - 1);
    if (pread(file, block, 4096, half + at * 4096) != 4096) fail(path);
  }
  report("read-random", begun);
  posix_fadvise(file, 0, 0, POSIX_FADV_NORMAL);
  begun = begin("read-sequential");
  for (size_t done = 0; done < half; done += sizeof block)
    if (pread(file, block, sizeof block, done) != sizeof block) fail(path);
  report("read-sequential", begun);
  close(file);
}

static void programs(void) {
  char *python[] = {"python3", "-c", "import json", NULL};
  char *sqlite[] = {"python3", "-c",
                    "import sqlite3; d = sqlite3.connect(':memory:');"
                    "d.execute('create table t(a, b)');"
                    "[d.execute('insert into t values(?, ?)', (i, str(i))) for i in range(4000)];"
                    "d.execute('select b, count(*) from t group by b % 7').fetchall()", NULL};
  char *server[] = {"redis-server", "--save", "", "--daemonize", "yes", "--dir", "/tmp", NULL};
  char *client[] = {"redis-benchmark", "-n", "4000", "-c", "10", "-t", "set,get", "-q", NULL};
  char *stop[] = {"redis-cli", "shutdown", "nosave", NULL};
  char *ping[] = {"redis-cli", "ping", NULL};
  // The first run of each brings its files into memory, and so is a matter of verified reads.
  double begun = begin("first-start");
  if (run(python)) fail("python3");
  report("first-start", begun);
  begun = begin("python-start");
  for (int i = 0; i < 3; i++) run(python);
  report("python-start", begun);
  if (run(sqlite)) fail("sqlite");
  begun = begin("sqlite");
  for (int i = 0; i < 2; i++) run(sqlite);
  report("sqlite", begun);
  if (run(server)) fail("redis-server");
  for (int i = 0; i < 100 && run(ping); i++) usleep(50000);
  if (run(client)) fail("redis-benchmark");
  begun = begin("redis");
  run(client);
  report("redis", begun);
  run(stop);
}

// Blocks of 4096 go straight to the device, one at a time; the long run goes through the page
// cache.
static void volume(const char *folder, size_t bytes) {
  static char block[1 << 20] __attribute__((aligned(4096)));
  if (chdir(folder)) fail(folder);
  memset(block, 7, sizeof block);
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  double begun = begin("volume-write");
  for (size_t done = 0; done < bytes; done += sizeof block)
    if (write(file, block, sizeof block) != sizeof block) fail("write");
  if (fsync(file)) fail("fsync");
  report("volume-write", begun);
  close(file);
  file = open("file", O_RDWR | O_DIRECT);
  size_t blocks = bytes / 4096, at = 1;
  begun = begin("volume-write-random");
  for (int i = 0; i < 400; i++) {
    at = (at * 1664525 + 1013904223) & (blocks - 1);
    if (pwrite(file, block, 4096, (off_t)(at * 4096)) != 4096) fail("pwrite");
  }
  report("volume-write-random", begun);
  begun = begin("volume-read");
  for (size_t done = 0; done < bytes; done += sizeof block)
    if (pread(file, block, sizeof block, (off_t)done) != sizeof block) fail("pread");
  report("volume-read", begun);
}

int main(int count, char **arguments) {
  // The floor's root takes no writes; Arca's would keep what the first start of Python compiles.
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  if (count == 4) {
    volume(arguments[2], strtoull(arguments[3], NULL, 10));
    return 0;
  }
  if (count != 3) return 0;
  reads(arguments[1], strtoull(arguments[2], NULL, 10));
  cpu(), calls(), forks(), memory(), programs();
  return 0;
}
