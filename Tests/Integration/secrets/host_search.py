"""Looks for a text in what a process holds on the host: its environment, arguments and open files,
and what waits in its pipes and sockets, without taking it out. A guest's memory is left out: in
simulation nothing encrypts it."""

import ctypes
import os
import pathlib
import socket
import stat

PIDFD_OPEN, PIDFD_GETFD, NONBLOCK = 434, 438, 2
PIPE_BYTES = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)


def tree(root):
    """The process `root` and all that came from it, as numbers in text."""
    found = [str(root)]
    for process in found:
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += task.read_text().split()
            except OSError:
                continue
    return found


def system_call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def pipe_content(path):
    """What waits in a pipe; tee(2) copies it and leaves it there."""
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    kept, copy = os.pipe()
    try:
        os.set_blocking(kept, False)
        count = libc.tee(source, copy, PIPE_BYTES, NONBLOCK)
        return os.read(kept, PIPE_BYTES) if count > 0 else b""
    finally:
        for descriptor in (source, kept, copy):
            os.close(descriptor)


def socket_content(process, number):
    """What waits to be read from a socket of another process, as far as one look goes."""
    handle = system_call(PIDFD_OPEN, int(process), 0)
    try:
        end = socket.socket(fileno=system_call(PIDFD_GETFD, handle, number, 0))
    finally:
        os.close(handle)
    with end:
        try:
            return end.recv(PIPE_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # nothing waits, or the socket listens
            return b""


def contents(process):
    """Names and contents of what `process` holds, as far as it can be read."""
    for kind in ("environ", "cmdline"):
        try:
            yield kind, pathlib.Path(f"/proc/{process}/{kind}").read_bytes()
        except OSError:
            continue
    try:
        descriptors = os.listdir(f"/proc/{process}/fd")
    except OSError:
        return
    for number in descriptors:
        path = f"/proc/{process}/fd/{number}"
        try:
            mode, target = os.stat(path).st_mode, os.readlink(path)
            if stat.S_ISREG(mode) and not target.startswith("/memfd:"):
                yield f"file {target}", pathlib.Path(path).read_bytes()
            elif stat.S_ISFIFO(mode):
                yield f"pipe {number}", pipe_content(path)
            elif stat.S_ISSOCK(mode):
                yield f"socket {number}", socket_content(process, int(number))
        except OSError:
            continue


def search(root, mark):
    """Where `mark` is found among the processes from `root` on, and how much was read by kind."""
    found, seen = [], {}
    for process in tree(root):
        for name, content in contents(process):
            kind = name.split()[0]
            seen[kind] = seen.get(kind, 0) + 1
            if mark in content:
                found.append(f"{name} of {process}")
    return found, seen
