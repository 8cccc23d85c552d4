// Unix-domain sockets beneath a folder, whose own path may be longer than a socket's may.
#pragma once

// A non-blocking listening socket `name` in the folder `folder`, or the negated errno.
int arca_listen(const char *folder, const char *name);
// The next connection, non-blocking and close-on-exec, or the negated errno (EAGAIN: none waits).
int arca_accept(int listener);
// A non-blocking connection to the socket `name` in the folder `folder`, or the negated errno.
int arca_connect(const char *folder, const char *name);
// Makes a terminal, sends its controlling side over the unix socket `path` (as OCI runtimes hand
// terminals to engines), makes the other side the caller's controlling terminal, and returns it; or
// the negated errno. The caller must lead a session without a terminal.
int arca_console_open(const char *path, int rows, int columns);
