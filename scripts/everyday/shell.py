"""A shell of someone who uses `hf2ms`: what was typed, what was printed, and the same text each time."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from programs import HF2MS, PATIENCE, SANDBOX, STATIC, WORKER, until

ULID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")
# A line about one of several repos.
REPO_LINE = re.compile(r"(?:error: |warning: )?((?:\w+/)+\w+): ")
# What is another number each time, and what is written in its place.
VOLATILE = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?Z?"), "2026-12-01 12:00"),
    (re.compile(r"(?m)^(  time +\S+ s, |  moved .*, )[^,]*/s$"), r"\g<1>15 MB/s"),
    (re.compile(r"(as the (?:median of the )?last .*?): \d.*"), r"\1: 15 MB/s a worker, 15 MB/s in all"),
    (re.compile(r"\b\d+(\.\d+)? ms\b"), "5 ms"),
    (re.compile(r"\b\d+\.\d s\b"), "1.0 s"),
    (re.compile(r"hf2ms-0-1-0-[0-9a-f]{12}"), "hf2ms-0-1-0-990a779c9859"),
    (re.compile(r"\b[0-9a-f]{10}$", re.M), "8f3a9c0d5e"),
    (re.compile(r"\bprocess \d+"), "process 4242"),
    (re.compile(r"\brequest [0-9a-f-]{36}"), "request 5b2c"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "8f3a9c0d5e7b1a2f4c6d8e0b9a7f5c3d1e2b4a60"),
)


class Shell:
    """One transcript: `lines` of it, and the environment in which it is typed."""

    def __init__(self, sandbox, folder: Path, **variables: str):
        self.sandbox, self.folder = sandbox, folder
        self.lines: list[str] = []
        self.ids: dict[str, str] = {}
        self.addresses = {sandbox.hf: "https://huggingface.co", sandbox.ms: "https://modelscope.cn"}
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HF_ENDPOINT": sandbox.hf,
            "MODELSCOPE_ENDPOINT": sandbox.ms,
            "HF2MS_STATE": str(folder / "state"),
            "HF2MS_WORKER": str(WORKER),
            "HF2MS_SANDBOX": str(SANDBOX),
            "HF2MS_STATIC_WORKER": str(STATIC),
            "HF2MS_RETRY_BASE": "0.1",
            **variables,
        }

    def export(self, name: str, value: str, shown: str):
        """Sets a variable, as it is typed."""
        self.environment[name] = value
        self.lines.append(f"$ export {name}={shown}")

    def run(self, line: str, code: int = 0) -> str:
        """Types a command of `hf2ms`, which has to end with `code`; returns what it printed."""
        return self.ended(line, self.start(line), code)

    def stopped(self, line: str, when) -> str:
        """Types a command, and Ctrl-C a second after `when` returns true of a hub: the program hears of it a moment later."""
        process = self.start(line)
        until(when)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        return self.ended(line, process, 130)

    def struck(self, line: str, when, what, code: int) -> str:
        """Types a command; as soon as `when` returns true, `what` happens elsewhere."""
        process = self.start(line)
        until(when)
        what()
        return self.ended(line, process, code)

    def start(self, line: str) -> subprocess.Popen:
        pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return subprocess.Popen([str(HF2MS), *shlex.split(line)[1:]], cwd=self.folder, env=self.environment, text=True, errors="replace", **pipes)

    def ended(self, line: str, process: subprocess.Popen, code: int) -> str:
        printed = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == code, f"{line} ended with {process.returncode}:\n{printed}"
        self.lines += [f"$ {self.stable(line)}", *self.stable(printed).splitlines()]
        self.lines += ["$ echo $?", str(code)] if code else []
        self.lines.append("")
        return printed

    def write(self, name: str, text: str):
        """Makes a file, and shows it."""
        (self.folder / name).write_text(text)
        self.lines += [f"$ cat {name}", *text.splitlines(), ""]

    def named(self, text: str) -> str:
        """The text with the addresses of the real hubs."""
        for address, shown in self.addresses.items():
            text = text.replace(address, shown)
        return text

    def stable(self, text: str) -> str:
        """The text without what differs from run to run."""
        text = self.named(text).replace(str(self.folder), "/home/alice").replace(str(WORKER), "/usr/local/bin/hf2ms-worker").replace(str(HF2MS), "/usr/local/bin/hf2ms")
        text = ULID.sub(lambda found: self.stable_id(found.group()), text)
        for volatile, constant in VOLATILE:
            text = volatile.sub(constant, text)
        return self.in_order("\n".join(line.rstrip() for line in text.splitlines()))

    def in_order(self, text: str) -> str:
        """The text with the lines of repos that are copied at the same time sorted by the repo, and each repo's in their order."""
        lines = text.splitlines()
        of_repo = [number for number, line in enumerate(lines) if REPO_LINE.match(line)]
        sorted_lines = sorted((lines[number] for number in of_repo), key=lambda line: REPO_LINE.match(line).group(1))
        for number, line in zip(of_repo, sorted_lines):
            lines[number] = line
        return "\n".join(lines)

    def stable_id(self, id: str) -> str:
        """The first run is ..RVN1, the second ..RVN2, as they are seen."""
        return self.ids.setdefault(id, f"01KE5V2Q8XJ4M7T3ZC9W6B0R{len(self.ids) + 1:02}")
