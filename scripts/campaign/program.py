"""Runs one command of hf2ms, kills what the round kills, and notes what its processes show and leave."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

# Seconds that a run may take, and its processes after it.
LONGEST = 90
GRACE = 10
# The label of hf2ms on its containers: the identity of the folder of runs.
CONTROLLER_LABEL = "hf2ms.controller"
PAUSE = 0.01


@dataclass
class Ran:
    """How a command ended."""

    code: int
    output: str
    # Who was really killed.
    killed: str | None
    seconds: float
    # Command lines of all its processes, as anyone on the machine can read them.
    shown: set[str] = field(default_factory=set)
    # Processes that were still there long after it.
    left: list[str] = field(default_factory=list)
    hung: bool = False


def processes(session: int) -> dict[int, str]:
    """The processes of a session with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
            if int(stat[3]) == session and stat[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (OSError, IndexError):
            continue
    return found


def send(pid: int, name: str) -> bool:
    try:
        os.kill(pid, getattr(signal, f"SIG{name}"))
    except ProcessLookupError:
        return False
    return True


class Killer:
    """Waits for the moment of a kill, and does it once. `stop` starts the command that asks hf2ms itself to end the run."""

    def __init__(self, kill, requests, containers=lambda: [], stop=lambda: None):
        self.kill, self.requests, self.containers, self.stop = kill, requests, containers, stop
        self.killed = None
        self.stopping = None
        self.begun = requests() if kill else 0

    def step(self, controller: int, pids: dict[int, str]):
        if self.kill is None or self.killed or self.requests() - self.begun < self.kill.after:
            return
        if self.kill.whom == "stop":
            done = self.stopping = self.stop()
        elif self.kill.whom == "controller":
            done = send(controller, self.kill.signal)
        else:
            workers = [pid for pid in pids if pid != controller]
            done = bool(workers) and send(random.choice(workers), self.kill.signal) or self.kill_container()
        if done:
            self.killed = f"{self.kill.whom} {self.kill.signal}".strip()

    def end(self) -> list[str]:
        """Waits for the command that stops; what does not end is named."""
        if self.stopping is None:
            return []
        try:
            self.stopping.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.stopping.kill()
            return ["hf2ms stop"]
        return []

    def kill_container(self) -> bool:
        running = self.containers()
        return bool(running) and subprocess.run(["docker", "kill", "--signal", self.kill.signal, running[0]], capture_output=True).returncode == 0


def run(command: list[str], env: dict[str, str], folder: Path, name: str, killer: Killer) -> Ran:
    """Runs a command to its end. What it prints is in files of `folder`."""
    began = time.monotonic()
    output = folder / f"{name}.out"
    with output.open("wb") as out:
        process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    shown, hung = set(), False
    while process.poll() is None:
        pids = processes(process.pid)
        shown |= set(pids.values())
        killer.step(process.pid, pids)
        if time.monotonic() - began > LONGEST:
            hung = True
            process.kill()
        time.sleep(PAUSE)
    left = killer.end() + outlived(process.pid)
    seconds = time.monotonic() - began
    return Ran(process.returncode, output.read_text(errors="replace"), killer.killed, seconds, shown, left, hung)


def outlived(session: int) -> list[str]:
    """What of a session still runs after the time of grace; it is killed then."""
    end = time.monotonic() + GRACE
    while (left := processes(session)) and time.monotonic() < end:
        time.sleep(PAUSE)
    for pid in left:
        send(pid, "KILL")
    return sorted(left.values())


def containers(identity: str, ended: bool = False) -> list[str]:
    """The running containers of the state folder with this identity; with `ended` all that the engine still has."""
    asked = ["docker", "ps", "--quiet", "--filter", f"label={CONTROLLER_LABEL}={identity}", *(["--all"] if ended else [])]
    return subprocess.run(asked, capture_output=True, text=True).stdout.split()
