"""A terminal of its own around `arca run -t`: sizes, resizing and Ctrl-C; argv is the command."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

pid, master = pty.fork()
if pid == 0:
    time.sleep(0.2)
    os.execvp(sys.argv[1], sys.argv[1:])


def resize(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


resize(33, 101)
seen = b""


def expect(text, seconds=120):
    global seen
    end = time.monotonic() + seconds
    while text not in seen:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit(f"expected {text!r}, saw {seen!r}")
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            seen += os.read(master, 4096)
        except OSError:
            sys.exit(f"expected {text!r}, saw {seen!r} and the end")
    seen = seen.split(text, 1)[1]


expect(b"ready")
os.write(master, b"stty size\n")
expect(b"33 101")
resize(44, 132)
time.sleep(1)
os.write(master, b"stty size\n")
expect(b"44 132")
os.write(master, b"sleep 1000\n")
time.sleep(2)
os.write(master, b"\x03")
time.sleep(1)
os.write(master, b"echo status-$?\n")
expect(b"status-130")
os.write(master, b"exit 9\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 9:
    sys.exit(f"expected status 9, found {status}")
