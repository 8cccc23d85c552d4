"""What is printed, on a disk that is full: a file that is cut short is no success."""

import trace
from scenario import ARCA, KBS, Broken, Scenario, Trial, require, words

PRINTING = [[ARCA, "--version"], [ARCA, "image", "list", "--json"], [ARCA, "volume", "list"],
            [ARCA, "ps", "-a"], [KBS, "--help"]]


class OutputTrial(Trial):
    def start(self):
        self.folder.mkdir(parents=True)
        self.points = [("write", 1)]

    def inject(self, fault):
        """The device that is always full stands for every fault."""
        environment = self.scenario.environment(self.folder)
        for command in PRINTING:
            done = trace.run(["sh", "-c", 'exec "$@" > /dev/full', "sh", *command], environment)
            self.hits += 1
            try:
                require(done.status > 0, f"{words(command)}: status {done.status}")
                require("No space left" in done.err, f"{words(command)}: {done.err.strip()}")
            except Broken as broken:
                self.failures.append(f"{self.scenario.name}: {broken}")


class Output(Scenario):
    name = "output"
    trial = OutputTrial
    fills = False
    # The same for every kind of fault, so once is enough.
    weight = 0


def scenarios():
    return [Output()]
