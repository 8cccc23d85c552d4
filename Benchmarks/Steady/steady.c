// What a workload does, timed from inside: steady DEVICE-OR-FILE BYTES prints "NAME SECONDS" lines.
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

static void report(const char *name, double begin) {
  printf("%s %.6f\n", name, now() - begin);
  fflush(stdout);
}

static void cpu(void) {
  double begin = now();
  uint64_t x = 88172645463325252u;
  for (long i = 0; i < 60000000; i++) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  volatile uint64_t keep = x;
  (void)keep;
  report("cpu", begin);
}

static void calls(void) {
  double begin = now();
  for (int i = 0; i < 400000; i++) syscall(SYS_getppid);
  report("syscall", begin);
}

static void forks(void) {
  double begin = now();
  for (int i = 0; i < 150; i++) run((char *[]){"/proc/self/exe", NULL});
  report("fork-exec", begin);
}

static void memory(void) {
  size_t bytes = 32 << 20;
  char *a = malloc(bytes), *b = malloc(bytes);
  memset(a, 1, bytes), memset(b, 2, bytes);
  double begin = now();
  for (int i = 0; i < 12; i++) memcpy(i % 2 ? a : b, i % 2 ? b : a, bytes);
  report("memory", begin);
  free(a), free(b);
}

// Each block at most once, so that none comes from the page cache: a cycle through a power of two.
static void reads(const char *path, size_t bytes) {
  static char block[1 << 20];
  int file = open(path, O_RDONLY);
  if (file < 0) fail(path);
  size_t half = bytes / 2, blocks = half / 4096, at = 1;
  posix_fadvise(file, half, half, POSIX_FADV_RANDOM);
  double begin = now();
  for (int i = 0; i < 1500; i++) {
    at = (at * 1664525 + 1013904223) & (blocks - 1);
    if (pread(file, block, 4096, half + at * 4096) != 4096) fail(path);
  }
  report("read-random", begin);
  posix_fadvise(file, 0, 0, POSIX_FADV_NORMAL);
  begin = now();
  for (size_t done = 0; done < half; done += sizeof block)
    if (pread(file, block, sizeof block, done) != sizeof block) fail(path);
  report("read-sequential", begin);
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
  if (run(python)) fail("python3");  // brings its files into memory
  double begin = now();
  for (int i = 0; i < 3; i++) run(python);
  report("python-start", begin);
  begin = now();
  if (run(sqlite)) fail("sqlite");
  report("sqlite", begin);
  if (run(server)) fail("redis-server");
  for (int i = 0; i < 100 && run(ping); i++) usleep(50000);
  begin = now();
  if (run(client)) fail("redis-benchmark");
  report("redis", begin);
  run(stop);
}

int main(int count, char **arguments) {
  // The floor's root takes no writes; Arca's would keep what the first start of Python compiles.
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  if (count != 3) return 0;
  reads(arguments[1], strtoull(arguments[2], NULL, 10));
  cpu(), calls(), forks(), memory(), programs();
  return 0;
}
