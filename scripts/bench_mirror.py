"""Mirrors against `git clone --mirror`, `git lfs fetch --all`, `git lfs push --all`, `git push --mirror`, between the same servers:
`git http-backend` and giftless, a process a side (mirror/tests)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import BIN, GIB, HEAD, ROOT, Figures, describe, measure, ratio, row, table

BY_HAND = """
set -e
cd "$1"
git clone --quiet --mirror "$2" m && cd m
git lfs fetch --all "$2"
git lfs push --all "$3"
git push --quiet --mirror "$3"
"""


class Hosts:
    """Two fresh hosts, the first one filled."""

    def __init__(self, commits: int, objects: int, size: int) -> None:
        self.wish = [["--commits", commits, "--objects", objects, "--bytes", size], []]

    def __enter__(self) -> "Hosts":
        self.work = Path(tempfile.mkdtemp(prefix="hf2ms-bench-", dir="/dev/shm"))
        serve = [sys.executable, "-W", "ignore", ROOT / "mirror/tests/serve.py", "--dir", self.work]
        commands = [[str(part) for part in [*serve, *wish]] for wish in self.wish]
        self.processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for command in commands]
        self.at = [json.loads(process.stdout.readline()) for process in self.processes]
        source, target = self.at
        self.env = dict(
            os.environ, HF2MS_STATE=str(self.work / "state"), GIT_TERMINAL_PROMPT="0", HOME=str(self.work),
            SOURCE_USERNAME=source["user"], SOURCE_TOKEN=source["password"], TARGET_USERNAME=target["user"], TARGET_TOKEN=target["password"],
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def ours(self) -> Figures:
        source, target = (at["url"] for at in self.at)
        return measure([BIN / "hf2ms", "mirror", "-s", source, "-t", target, "--json"], self.env, self.work / "log")

    def report(self) -> dict:
        return json.loads((self.work / "log").read_text().splitlines()[-1])

    def by_hand(self) -> Figures:
        urls = [at["url"].replace("http://", f"http://{at['user']}:{at['password']}@") for at in self.at]
        # The clone is on a real disk, as a runner's is.
        with tempfile.TemporaryDirectory(prefix="hf2ms-bench-") as folder:
            figures = measure(["sh", "-c", BY_HAND, "sh", folder, *urls], self.env, self.work / "log")
        os.sync()
        return figures


def bench_mirror(args) -> None:
    objects, size = 40, int(args.gib * 2 * GIB / 40)

    def once(way: str) -> Figures:
        with Hosts(200, objects, size) as hosts:
            return getattr(hosts, way)()

    hand, ours = zip(*((once("by_hand"), once("ours")) for _ in range(args.runs)))
    table(f"A mirror: {2 * args.gib:g} GiB in {objects} LFS objects over 200 commits", *HEAD)
    describe("git and git-lfs", hand, objects * size)
    describe("hf2ms", ours, objects * size)
    print(f"\nhf2ms is {ratio(hand, ours)} times faster (goal: 3).")
    history()


def history() -> None:
    table("20,000 commits with 5,000 LFS objects in history", "step", "seconds", "written to disk MiB", "LFS objects moved")
    with Hosts(20_000, 5_000, 20) as hosts:
        source, target = (at["url"] for at in hosts.at)
        look = [BIN / "hf2ms", "mirror", "-s", source, "-t", target, "--json", "--dry-run"]
        figures = measure(look, hosts.env, hosts.work / "log")
        row("every pointer found (dry run; goal: 30 s)", f"{figures.seconds:.2f}", f"{figures.disk_mib:.0f}", hosts.report()["scan"]["pointers"])
        for name in ("mirror", "a second run with nothing new (goal: 2 s)"):
            figures = hosts.ours()
            row(name, f"{figures.seconds:.2f}", f"{figures.disk_mib:.0f}", hosts.report()["moved"])
