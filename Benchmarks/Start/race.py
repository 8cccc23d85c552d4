"""Starts many things at once, and times how long each takes to say its first word."""

import os
import selectors
import statistics
import subprocess
import time

WORD = b"up\n"


class Contestant:
    """A process that is to say a word on `source`, and then to end with status 0."""

    def __init__(self, process, source, ends=True):
        self.process, self.source, self.ends = process, source, ends
        self.first, self.said = None, b""


def command(arguments, log):
    """A contestant whose word comes on its standard output."""
    process = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=log)
    return Contestant(process, process.stdout)


def race(starters, word=WORD, seconds=900):
    """Starts all at once: seconds to each one's first byte, seconds until all have come up, failures."""
    selector, begin = selectors.DefaultSelector(), time.monotonic()
    contestants = [start() for start in starters]
    for contestant in contestants:
        selector.register(contestant.source, selectors.EVENT_READ, contestant)
    while selector.get_map() and (left := begin + seconds - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            contestant, chunk = key.data, os.read(key.fd, 4096)
            if chunk and contestant.first is None:
                contestant.first = time.monotonic() - begin
            contestant.said += chunk
            if not chunk or not contestant.ends and contestant.said.endswith(b"\n"):
                selector.unregister(contestant.source)
    failures = 0
    for contestant in contestants:
        if not contestant.ends or contestant.said != word:
            contestant.process.kill()
        status = contestant.process.wait()
        failures += contestant.said != word or contestant.ends and status != 0
        contestant.source.close()
    firsts = [contestant.first for contestant in contestants if contestant.first is not None]
    return {"firstSeconds": firsts, "allSeconds": max(firsts, default=seconds), "failures": failures,
            "endedSeconds": time.monotonic() - begin}


def median(values):
    """The median, or None of nothing."""
    return round(statistics.median(values), 4) if values else None
