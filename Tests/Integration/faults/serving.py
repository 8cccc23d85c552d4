"""A broker that serves while its disk fails, or that is killed at a write."""

import dataclasses
import http.client
import os
import signal
import socket
import ssl
import subprocess
import time

import trace
from brokers import Broker
from scenario import KBS, Broken, Trial, require

WRITES = 6
SECONDS_MAX = 30


class Served:
    """`arca-kbs serve`, under strace or not."""

    def __init__(self, trial, fault=None):
        self.folder, self.port = f"{trial.folder}/broker", trial.port
        command = [KBS, "serve", "--folder", self.folder]
        if fault:
            command = trace.strace(trial.log, True, fault) + command
        self.output = open(f"{trial.folder}/output", "w+b")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=self.output)

    def listens(self):
        deadline = time.monotonic() + SECONDS_MAX
        while self.process.poll() is None:
            require(time.monotonic() < deadline, "the broker does not listen")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def set(self, path, content, token):
        """The answer's status; None where there was none."""
        context = ssl.create_default_context(cafile=f"{self.folder}/tls.pem")
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=SECONDS_MAX, context=context)
        try:
            connection.request("POST", f"/kbs/v0/resource/{path}", content,
                               {"Authorization": f"Bearer {token}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self):
        """Ends it; its exit status."""
        if self.process.poll() is None:
            # strace passes no signal on; the broker is its child.
            children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            with open(children) as file:
                pids = [int(pid) for pid in file.read().split()]
            for pid in pids or [self.process.pid]:
                os.kill(pid, signal.SIGTERM)
        try:
            return self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken("the broker does not stop") from None
        finally:
            self.output.close()


class ServingTrial(Trial):
    """What was answered with success is there, what was not is whole or absent."""

    def start(self):
        self.folder.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.scenario.broker(self.folder, "init", "--listen", f"127.0.0.1:{self.port}")
        self.token = self.scenario.succeed(
            [KBS, "token", "admin", "--folder", f"{self.folder}/broker", "--seconds", "7000"],
            self.folder).strip()
        subprocess.run(["cp", "-a", self.folder, self.ready], check=True)
        self.points = [(call, number) for number in range(1, 7)
                       for call in ("pwrite64", "fdatasync")]

    def inject(self, fault):
        self.reset()
        fault = dataclasses.replace(fault, lasts=fault.kind != "KILL")
        try:
            served = Served(self, fault)
            answers = {}
            if served.listens():
                for index in range(WRITES):
                    path, content = f"default/app/n{index}", f"content {index}" * 500
                    answers[path] = served.set(path, content, self.token), content
            status = served.stop()
            with open(self.log, errors="replace") as file:
                self.check(fault, trace.Outcome(status, "", "", file.read()), answers)
        except Broken as broken:
            self.failures.append(f"{self.scenario.name}: {fault}: {broken}")

    def check(self, fault, outcome, answers):
        if not outcome.is_hit:
            self.misses += 1
            return
        self.hits += 1
        require(outcome.trap is None, f"ended by {outcome.trap}")
        require(fault.kind == "KILL" or not outcome.is_killed, "killed by something else")
        require(fault.kind == "KILL" or None not in [status for status, _ in answers.values()],
                f"a request had no answer: {[status for status, _ in answers.values()]}")
        contents, log = self.scenario.state(self.folder)
        for path, (status, content) in answers.items():
            if status == 200:
                require(path in contents, f"{path} was acknowledged and is not there")
            require(contents.get(path, content) == content, f"{path} is not what was written")
            require((path in contents) == (("set", path) in log), f"{path}: the log differs")
        served = Served(self)
        require(served.listens(), "started again, it does not serve")
        status = served.set("default/app/last", "last", self.token)
        require(served.stop() == 0 and status == 200, f"started again, it answers {status}")


class Serve(Broker):
    name = "broker serve"
    trial = ServingTrial
    fills = False
    weight = 2


def scenarios():
    return [Serve()]
