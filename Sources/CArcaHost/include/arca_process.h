#pragma once

#include <stdint.h>

// How the child of arca_spawn differs from its parent.
enum {
  // The child leads a session of its own, out of reach of the terminal's signals.
  ARCA_SPAWN_SESSION = 1,
  // The child gets SIGKILL when the thread that spawned it ends.
  ARCA_SPAWN_DIE_WITH_PARENT = 2,
  // The child has a mount namespace without /sys/fs/cgroup/unified (see arca_spawn).
  ARCA_SPAWN_HIDE_UNIFIED_CGROUP = 4,
  // The child has no capability; where no_new_privs is set, the program gets none either.
  ARCA_SPAWN_WITHOUT_CAPABILITIES = 8,
};

// Runs the program `path` with `argv` and `envp`; descriptor i of the child is `descriptors[i]` of
// the caller (-1: /dev/null), every other one is closed, and no signal is blocked or ignored.
//
// ARCA_SPAWN_HIDE_UNIFIED_CGROUP is for crun, which refuses hosts with both cgroup versions: in a
// private mount namespace the version 2 hierarchy, which holds no controller there, is unmounted.
//
// The child's root folder is `root` where that is not NULL; `path` is beneath it, and the child has
// neither CAP_SYS_CHROOT nor CAP_KILL.
//
// Returns the process id, or the negated errno of the step that failed, the exec included.
int arca_spawn(const char *path, char *const argv[], char *const envp[], const int *descriptors,
               int descriptor_count, int flags, const char *root);

// A close-on-exec descriptor that becomes readable when process `pid` ends, or the negated errno.
int arca_pidfd_open(int pid);

// Sends `signal_number` to the process behind `pidfd`; 0, or the negated errno.
int arca_pidfd_send_signal(int pidfd, int signal_number);

// Blocks every signal in `mask` (bit n-1 for signal n) in the calling thread and returns a
// close-on-exec, non-blocking signalfd of them, or the negated errno.
int arca_signalfd(uint64_t mask);

// The next signal of a signalfd: its number, 0 when none waits, or the negated errno.
int arca_signalfd_next(int descriptor);

// Puts the terminal `descriptor` in raw mode; `saved` (at least arca_termios_bytes() long) takes
// what arca_terminal_restore needs. 0, or the negated errno.
int arca_terminal_raw(int descriptor, void *saved);
int arca_terminal_save(int descriptor, void *saved);
int arca_terminal_restore(int descriptor, const void *saved);
int arca_termios_bytes(void);

// The size of the terminal: rows << 16 | columns, or the negated errno.
int64_t arca_terminal_size(int descriptor);

// Takes (non-blocking) an exclusive flock: 0, or the negated errno.
int arca_lock(int descriptor, int wait);

// Puts on disk what was written to the file system that the descriptor's file is on; 0, or the
// negated errno.
int arca_sync_file_system(int descriptor);
