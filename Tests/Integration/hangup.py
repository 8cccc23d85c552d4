"""A terminal around `arca run -t` that hangs up once the workload runs; argv is the command."""

import os
import pty
import sys

pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"ready" not in seen:
    try:
        seen += os.read(master, 4096)
    except OSError:
        sys.exit(f"expected 'ready', saw {seen!r} and the end")
os.close(master)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 129:
    sys.exit(f"expected status 129, found {status}")
