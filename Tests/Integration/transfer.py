"""transfer.py serve PORT | send ADDRESS PORT MIB | receive ADDRESS PORT MIB: bytes over TCP, with digests.

`serve` runs in a container and answers the other two, which print the time that it took.
"""

import hashlib
import os
import socket
import sys
import time

# Repeated, since random bytes cost a translated guest more time than sending them.
BLOCK = 1 << 20


def receive(connection, mebibytes):
    """Takes what comes, answers with its digest, and says whether the sender finds it equal."""
    digest, left, buffer = hashlib.sha256(), mebibytes * BLOCK, memoryview(bytearray(1 << 18))
    while left:
        count = connection.recv_into(buffer[:min(left, len(buffer))])
        if count == 0:
            return False
        digest.update(buffer[:count])
        left -= count
    connection.sendall(digest.digest())
    return connection.recv(1) == b"y"


def send(connection, mebibytes):
    """Sends random blocks and says whether their digest comes back."""
    block, digest = os.urandom(BLOCK), hashlib.sha256()
    for number in range(mebibytes):
        # Each block differs, so that one that is lost or comes twice is seen.
        block = number.to_bytes(8, "big") + block[8:]
        digest.update(block)
        connection.sendall(block)
    answer = b""
    while len(answer) < 32:
        part = connection.recv(32 - len(answer))
        if not part:
            return False
        answer += part
    worked = answer == digest.digest()
    connection.sendall(b"y" if worked else b"n")
    return worked


def serve(port):
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("serving", flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                try:
                    request = connection.recv(16, socket.MSG_WAITALL)
                    (receive if request[:1] == b"s" else send)(connection, int(request[1:]))
                except (OSError, ValueError) as error:
                    print("lost:", error, flush=True)


def call(mode, address, port, mebibytes):
    start = time.monotonic()
    with socket.create_connection((address, port), timeout=120) as connection:
        connection.sendall(f"{mode[0]}{mebibytes:015}".encode())
        worked = (send if mode == "send" else receive)(connection, mebibytes)
    print(f"{mode} {mebibytes} MiB: {'equal' if worked else 'NOT equal'},"
          f" {time.monotonic() - start:.1f} s")
    return 0 if worked else 1


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
sys.exit(call(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
