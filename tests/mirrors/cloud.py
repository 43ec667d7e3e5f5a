"""A Modal on loopback for mirrors: the unmodified SDK talks to it, and it really runs what is deployed."""

import os
import subprocess
import sys

from mirrors.world import CANARY
from programs import STATIC, until
from servers.modal.loopback import Loopback

# Seconds without a byte that no worker gives up after: tests hold downloads back for as long as they need.
STALL = 300
PYTHON = os.environ.get("HF2MS_PYTHON", sys.executable)


class Cloud(Loopback):
    """The loopback Modal, and `hf2ms` of a user whose Modal it is."""

    def __init__(self, world):
        super().__init__("--hurry", "50", python=PYTHON, stderr=subprocess.DEVNULL)
        self.world = world
        self.env = self.environment() | {"HF2MS_STATIC_WORKER": str(STATIC), "HF2MS_PYTHON": PYTHON, "HF2MS_STALL": str(STALL)}

    def flags(self, target, *more):
        """Two containers, and a chunk for nearly each object."""
        sides = ["-s", self.world.source.url, "-t", target.url, "--json"]
        return [*sides, "--on", "modal", "--chunk-size", "0.00003", "--containers", "2", *more]

    def mirror(self, target, *more, **env):
        return self.hf2ms("mirror", *self.flags(target, *more), **env)

    def hf2ms(self, *args, **env):
        return self.world.hf2ms(*args, **(self.env | env))

    def from_elsewhere(self, *args):
        """Runs a verb in a terminal that knows the run's folder and Modal, and no login of either side."""
        nobody = dict.fromkeys(("SOURCE_USERNAME", "SOURCE_TOKEN", "TARGET_USERNAME", "TARGET_TOKEN"))
        return self.hf2ms(*args, "--json", **nobody)

    def text(self, method, path, body=None):
        text = super().text(method, path, body)
        assert CANARY not in text, "a password got to Modal's own eyes"
        return text

    def calls(self, function):
        return [call for call in self.state()["calls"] if call["function"] == function]

    def states(self, function):
        return [call["state"] for call in self.calls(function)]

    def until_quiet(self):
        """Waits until no call waits or works, and no container is at one."""

        def is_quiet():
            state = self.state()
            busy = [call for call in state["calls"] if call["state"] in ("queued", "running") or call["pids"]]
            return not busy and all(container["idle"] for container in state["containers"])

        until(is_quiet)
