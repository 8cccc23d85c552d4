"""A host between guest and key broker: it passes bytes on, keeps a copy, and does as told."""

import socket
import threading


class HostileRelay:
    """Listens on loopback; `deed` is None, alter, drop, reorder or replay, done on each connection
    once `after` bytes of `victim`'s, the broker's or the guest's, have passed."""

    def __init__(self, target, deed=None, after=0, victim="broker"):
        self.target, self.deed, self.after, self.victim = target, deed, after, victim
        self.capture = bytearray()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                guest, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                guest.close()
                continue
            threading.Thread(target=self.carry, args=(guest, broker), daemon=True).start()

    def carry(self, guest, broker):
        ways = [threading.Thread(target=self.pump, args=way, daemon=True) for way in (
            (guest, broker, self.victim == "guest"), (broker, guest, self.victim == "broker"))]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        for end in (guest, broker):
            end.close()

    def pump(self, source, sink, harm):
        passed, done = 0, False
        try:
            while chunk := source.recv(65536):
                self.capture += chunk
                if harm and self.deed and not done and passed >= self.after:
                    chunk, done = self.harm(chunk), True
                passed += len(chunk)
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def harm(self, chunk):
        if self.deed == "alter":
            middle = len(chunk) // 2
            return chunk[:middle] + bytes([chunk[middle] ^ 1]) + chunk[middle + 1:]
        if self.deed == "drop":
            return chunk[len(chunk) // 2:]
        if self.deed == "replay":
            return chunk + chunk
        # reorder: the halves of a piece change places, as two packets would.
        middle = len(chunk) // 2
        return chunk[middle:] + chunk[:middle]

    def close(self):
        self.listener.close()
