"""A loopback Modal as a process of its own, and what tests ask of it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from programs import PATIENCE

SERVE = Path(__file__).with_name("serve.py")


class Loopback:
    """A running loopback Modal. `told` is what a client needs: the URL and the token's two parts."""

    def __init__(self, *arguments, python=sys.executable, **more):
        self.process = subprocess.Popen([python, str(SERVE), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
        self.told = json.loads(self.process.stdout.readline())

    def environment(self):
        """The variables that point Modal's SDK here."""
        return {f"MODAL_{name}": self.told[key] for name, key in (("SERVER_URL", "url"), ("TOKEN_ID", "token_id"), ("TOKEN_SECRET", "token_secret"))}

    def text(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.told["admin"] + path, data=data, method=method)) as answer:
            return answer.read().decode()

    def ask(self, method, path, body=None):
        return json.loads(self.text(method, path, body))

    def state(self):
        return self.ask("GET", "/state")

    def call(self, call_id):
        """The state of one call."""
        return next(call for call in self.state()["calls"] if call["call"] == call_id)

    def fault(self, do, **rule):
        self.ask("POST", "/faults", {"do": do, **rule})

    def act(self, do, **what):
        return self.ask("POST", "/act", {"do": do, **what})["struck"]

    def close(self):
        """Ends it, and returns its exit code."""
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(PATIENCE)
