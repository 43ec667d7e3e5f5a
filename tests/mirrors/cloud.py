"""A Modal on loopback for mirrors: the unmodified SDK talks to it, and it really runs what is deployed."""

import json
import os
import subprocess
import sys
import urllib.request

from conftest import CANARY, ROOT, STATIC, until

# Seconds without a byte that no worker gives up after: tests hold downloads back for as long as they need.
STALL = 300
PYTHON = os.environ.get("HF2MS_PYTHON", sys.executable)


class Cloud:
    """The loopback Modal, and `hf2ms` of a user whose Modal it is."""

    def __init__(self, world):
        self.world = world
        serve = [PYTHON, str(ROOT / "modal/tests/serve.py"), "--hurry", "50"]
        self.plane = subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        told = json.loads(self.plane.stdout.readline())
        self.admin = told["admin"]
        self.env = {"MODAL_SERVER_URL": told["url"], "MODAL_TOKEN_ID": told["token_id"], "MODAL_TOKEN_SECRET": told["token_secret"]}
        self.env |= {"HF2MS_STATIC_WORKER": str(STATIC), "HF2MS_PYTHON": PYTHON, "HF2MS_STALL": str(STALL)}

    def close(self):
        self.plane.stdin.close()
        self.plane.stdout.close()
        self.plane.wait()

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

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.admin + path, data=data, method=method)) as answer:
            text = answer.read().decode()
        assert CANARY not in text, "a password got to Modal's own eyes"
        return json.loads(text)

    def fault(self, do, **rule):
        self.ask("POST", "/faults", {"do": do, **rule})

    def calls(self, function):
        return [call for call in self.ask("GET", "/state")["calls"] if call["function"] == function]

    def states(self, function):
        return [call["state"] for call in self.calls(function)]

    def act(self, do, call):
        return self.ask("POST", "/act", {"do": do, "call": call["call"]})["struck"]

    def until_quiet(self):
        """Waits until no call waits or works, and no container is at one."""

        def is_quiet():
            state = self.ask("GET", "/state")
            busy = [call for call in state["calls"] if call["state"] in ("queued", "running") or call["pids"]]
            return not busy and all(container["idle"] for container in state["containers"])

        until(is_quiet)
