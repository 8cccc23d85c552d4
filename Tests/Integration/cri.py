"""A client of the Container Runtime Interface, as small as what engines.sh asks of it.

    cri.py SOCKET HANDLER FOLDER IMAGE

Plays a kubelet for one pod: two containers in one sandbox, both of the runtime class HANDLER, which
answer on ports of their own, are executed in, stopped and removed. FOLDER gets their logs. The messages
are encoded here by the numbers of the interface's fields (Kubernetes, cri-api, runtime/v1/api.proto).
"""

import pathlib
import sys
import time
import urllib.request

import grpc

socket, handler, folder, image = sys.argv[1:]
logs = pathlib.Path(folder)
DEADLINE = 90
EXITED = 2


def varint(number):
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def message(*fields):
    """Bytes of the (number, value) pairs; a value is a number, text or another message's bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """The last value of each field's number in a message."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        else:
            length = number()
            found[key >> 3] = data[at:at + length]
            at += length
    return found


def call(method, *request):
    ask = channel.unary_unary(f"/runtime.v1.RuntimeService/{method}")
    return fields(ask(message(*request), timeout=DEADLINE))


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")


def start(name, port, text, attempt=0):
    """Creates and starts a container that serves `text` on `port`, and waits for nothing."""
    script = f"mkdir -p /tmp/w; echo {text} > /tmp/w/index.html; trap 'exit 3' TERM; echo up; " \
             f"busybox httpd -p {port} -h /tmp/w; while :; do sleep 0.2; done"
    config = message((1, message((1, name), (2, attempt))), (2, message((1, image))),
                     *[(4, argument) for argument in ("sh", "-c", script)],
                     (10, message((1, "dev.arca.allow-exec"), (2, "true"))), (11, f"{name}{attempt}.log"))
    container = call("CreateContainer", (1, sandbox), (2, config), (3, pod))[1].decode()
    call("StartContainer", (1, container))
    return container


def answer(port):
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://{address}:{port}/", timeout=3) as page:
                return page.read().decode().strip()
        except OSError:
            time.sleep(0.5)
    sys.exit(f"port {port} of the pod never answered; the log says "
             + "".join(path.read_text() for path in logs.glob("*.log")))


def page_inside(container, port):
    """What a port of the pod's localhost answers in a container; its servers may not be up yet."""
    for _ in range(60):
        ran = call("ExecSync", (1, container), *[(2, word) for word in (
            "/bin/busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/")], (3, 60))
        if ran.get(3, 0) == 0:
            return ran[1].decode().strip()
        time.sleep(0.5)
    sys.exit(f"port {port} of the pod's localhost never answered: {ran}")


channel = grpc.insecure_channel(f"unix://{socket}")
pod = message((1, message((1, "duo"), (2, "uid-1"), (3, "default"))), (2, "duo"), (3, folder),
              (7, message((1, "dev.arca.pod"), (2, "one=80 two=81"))), (8, message()))
sandbox = call("RunPodSandbox", (1, pod), (2, handler))[1].decode()
address = fields(fields(call("PodSandboxStatus", (1, sandbox))[1])[5])[1].decode()
one = start("one", 80, "first")
two = start("two", 81, "second")
expect("the first container's page", answer(80), "first")
expect("the second container's page", answer(81), "second")
ran = call("ExecSync", (1, two), (2, "/bin/busybox"), (2, "hostname"), (3, 60))
expect("ExecSync", (ran.get(1), ran.get(3, 0)), (b"duo\n", 0))
expect("the first container's page in the second", page_inside(two, 80), "first")
call("StopContainer", (1, one), (2, 20))
status = fields(call("ContainerStatus", (1, one))[1])
expect("the stopped container's state and exit code", (status[3], status.get(7, 0)), (EXITED, 3))
expect("its log", (logs / "one0.log").read_text().split(" ")[-1], "up\n")
call("RemoveContainer", (1, one))
again = start("one", 80, "third", attempt=1)
expect("the page of a container in the first one's place", answer(80), "third")
expect("the second container's page beside it", answer(81), "second")
expect("the page of the one in its place in the second", page_inside(two, 80), "third")
expect("the second container's page in it", page_inside(again, 81), "second")
call("StopPodSandbox", (1, sandbox))
call("RemovePodSandbox", (1, sandbox))
print("pod: served, executed in, stopped, replaced and removed")
