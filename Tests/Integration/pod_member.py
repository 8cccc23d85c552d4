"""pod_member.py db | app: a container of a pod that serves ports of 127.0.0.1 and reaches those of the other.

`db` answers by TCP on 6379, by UDP on 9000, and on 7000, which the owner does not list; `app` on 8080.
Each prints what the ports of 127.0.0.1 answer, again and again.
"""

import socket
import sys
import threading
import time

TCP = {"db": [6379, 7000], "app": [8080]}
UDP = {"db": [9000], "app": []}
name = sys.argv[1]


def serve(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        try:
            connection.sendall(b"%s of " % connection.recv(100) + name.encode())
        except OSError:
            pass
        connection.close()


def serve_datagrams(port):
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("127.0.0.1", port))
    while True:
        data, sender = endpoint.recvfrom(100)
        endpoint.sendto(b"%s of " % data + name.encode(), sender)


def ask(kind, port):
    try:
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(3)
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"marked text")
            return connection.recv(100).decode()
    except OSError as error:
        return type(error).__name__


for port in TCP[name]:
    threading.Thread(target=serve, args=(port,), daemon=True).start()
for port in UDP[name]:
    threading.Thread(target=serve_datagrams, args=(port,), daemon=True).start()
while True:
    for port in (6379, 7000, 8080):
        print(port, ask(socket.SOCK_STREAM, port), flush=True)
    print(9000, ask(socket.SOCK_DGRAM, 9000), flush=True)
    time.sleep(1)
