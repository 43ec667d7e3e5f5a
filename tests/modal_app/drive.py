"""The bridge and apps that the tests drive, and shell scripts that stand in for a worker."""

import itertools
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

from programs import PATIENCE, ROOT, until

MODAL = ROOT / "modal"


def settings(plane, home, **more):
    """The environment of a client of this plane. Nothing of the machine's own settings gets in."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), **plane.environment(), **more}


class Bridge:
    """A running bridge. Answers are kept by the id of what they answer."""

    def __init__(self, environment, *flags, folder=MODAL):
        self.process = subprocess.Popen(
            [sys.executable, *flags, str(folder / "bridge.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ids = itertools.count(1)
        self.answers, self.everything, self.log = {}, [], []
        self.first = json.loads(self.process.stdout.readline())
        for follow in (self._listen, self._keep_log):
            threading.Thread(target=follow, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.everything.append(line)
            answer = json.loads(line)
            self.answers[answer["id"]].put(answer)

    def _keep_log(self):
        self.log.extend(self.process.stderr)

    def send(self, verb, **what):
        """Sends a request; returns its id."""
        number = next(self.ids)
        self.answers[number] = queue.Queue()
        self.process.stdin.write(json.dumps({"id": number, "verb": verb, **what}) + "\n")
        self.process.stdin.flush()
        return number

    def next(self, number):
        """The next thing said in answer to a request."""
        return self.answers[number].get(timeout=PATIENCE)

    def ask(self, verb, **what):
        """What a request is answered with, `ok` or `error`."""
        return self.next(self.send(verb, **what))

    def ok(self, verb, **what):
        answer = self.ask(verb, **what)
        assert "ok" in answer, answer
        return answer["ok"]

    def error(self, verb, **what):
        answer = self.ask(verb, **what)
        assert "error" in answer, answer
        return answer["error"]

    def lines(self, app, run):
        """The log lines of a run so far."""
        number = self.send("logs", app=app, run=run, follow=False)
        said = []
        while "line" in (answer := self.next(number)):
            said.append(answer["line"])
        assert "ok" in answer, answer
        return said

    def close(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


class App:
    """An app that was deployed through the bridge with a worker of its own."""

    count = itertools.count(1)

    def __init__(self, bridge, worker, containers=2, **more):
        self.bridge, self.name = bridge, f"hf2ms-test-{next(self.count)}"
        bridge.ok("deploy", app=self.name, worker=str(worker), containers=containers, cpu=[1, 4], memory=[512, 1024], **more)

    def submit(self, function, job):
        """Spawns a call; returns its id."""
        return self.bridge.ok("submit", app=self.name, function=function, job=job)["call"]

    def chunk(self, number=0, **more):
        return self.submit("run_chunk", {"version": 1, "run": self.name, "chunk": number, **more})

    def ended(self, call):
        """How a call stands when it is over."""
        return until(lambda: (state := self.bridge.ok("poll", call=call, wait=10))["state"] != "pending" and state)

    def done(self, call):
        """The envelope of a call that worked."""
        state = self.ended(call)
        assert state["state"] == "done", state
        return state["result"]

    def lines(self):
        return self.bridge.lines(self.name, self.name)


def script(folder, body):
    """A worker that is a shell script: `$1` is the verb, `$job` the job's line."""
    path = folder / "worker"
    path.write_text(f'#!/bin/sh\ncase "$1" in run|finalize|revisions|scan|push) read -r job;; esac\n{body}\n')
    path.chmod(0o755)
    return path


def event(name, **more):
    """A shell command that says an event."""
    return "printf '%s\\n' '" + json.dumps({"event": name, **more}) + "'"


def receipt(*paths, chunk=0):
    files = [{"path": path, "sha256": "0" * 64, "size": 1, "how": "streamed"} for path in paths]
    return event("receipt", run="r", chunk=chunk, files=files, failed=[], sent=7, retries=0, seconds=0.1)


def children(pid):
    """Ids of a process's children."""
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    """Whether a process is there, and not only its exit code."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
