"""Mirrors against `git clone --mirror`, `git lfs fetch --all`, `git lfs push --all`, `git push --mirror`, between the same servers:
`git http-backend` and giftless, a process a side (tests/servers/git), once alone and once with nginx moving the LFS contents, for both ways.
The servers' CPU is told too: they share the cores, and stand for machines of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import statistics
import tempfile
import threading
from dataclasses import dataclass
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


@dataclass
class Mirrored:
    """One finished mirroring: the way's own figures, and the CPU seconds of both servers."""

    way: Figures
    servers: float


class Hosts:
    """Two fresh hosts, the first one filled; nginx before each of them if `front` says so."""

    def __init__(self, commits: int, objects: int, size: int, front: tuple[object, ...] = ()) -> None:
        self.wish = [["--commits", commits, "--objects", objects, "--bytes", size, *front], [*front]]
        # How often each route of either was asked, once they have ended.
        self.asked: list[dict[str, int]] = []

    def __enter__(self) -> "Hosts":
        self.work = Path(tempfile.mkdtemp(prefix="hf2ms-bench-", dir="/dev/shm"))
        serve = [sys.executable, "-W", "ignore", ROOT / "tests/servers/git/serve.py", "--dir", self.work]
        commands = [[str(part) for part in [*serve, *wish]] for wish in self.wish]
        self.processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for command in commands]
        self.at = [json.loads(process.stdout.readline()) for process in self.processes]
        source, target = self.at
        # On a real disk, as a runner's is.
        self.temp = Path(tempfile.mkdtemp(prefix="hf2ms-bench-"))
        self.env = dict(
            os.environ, HF2MS_STATE=str(self.work / "state"), TMPDIR=str(self.temp), GIT_TERMINAL_PROMPT="0", HOME=str(self.work),
            SOURCE_USERNAME=source["user"], SOURCE_TOKEN=source["password"], TARGET_USERNAME=target["user"], TARGET_TOKEN=target["password"],
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.stdin.close()
        self.asked = [json.loads(process.stdout.read() or "{}") for process in self.processes]
        for process in self.processes:
            process.wait()
        for folder in (self.work, self.temp):
            shutil.rmtree(folder, ignore_errors=True)

    def ours(self) -> Figures:
        source, target = (at["url"] for at in self.at)
        return measure([BIN / "hf2ms", "mirror", "-s", source, "-t", target, "--json"], self.env, self.work / "log")

    def report(self) -> dict:
        return json.loads((self.work / "log").read_text().splitlines()[-1])

    def by_hand(self) -> Figures:
        urls = [at["url"].replace("http://", f"http://{at['user']}:{at['password']}@") for at in self.at]
        with tempfile.TemporaryDirectory(dir=self.temp) as folder:
            figures = measure(["sh", "-c", BY_HAND, "sh", folder, *urls], self.env, self.work / "log")
        os.sync()
        return figures

    def mirrored(self, way: str) -> Mirrored:
        before = self.servers_cpu()
        figures = getattr(self, way)()
        return Mirrored(figures, self.servers_cpu() - before)

    def servers_cpu(self) -> float:
        """CPU seconds of both hosts so far, of what they have started too."""
        return sum(cpu_of(pid) for process in self.processes for pid in [process.pid, *children(process.pid)])


class Largest:
    """The most that a folder held, looked at every few milliseconds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mib, self.ended = folder, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def __enter__(self) -> "Largest":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.ended.wait(0.01):
            self.mib = max(self.mib, held(self.folder) / (1 << 20))


def held(folder: Path) -> int:
    """Bytes of the files below, of which some may go while they are counted."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(inner, name)).st_size
            except FileNotFoundError:
                pass
    return total


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_of(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def bench_mirror(args) -> None:
    for front in ((), ("--nginx",)):
        compare(args, front)
    history()


def compare(args, front: tuple[str, ...]) -> None:
    objects, size = 40, int(args.gib * 2 * GIB / 40)

    def once(way: str) -> Mirrored:
        with Hosts(200, objects, size, front) as hosts:
            return hosts.mirrored(way)

    hand, ours = zip(*((once("by_hand"), once("ours")) for _ in range(args.runs)))
    behind = "giftless behind nginx" if front else "giftless"
    table(f"A mirror: {2 * args.gib:g} GiB in {objects} LFS objects over 200 commits, {behind}", *HEAD)
    for name, all in (("git and git-lfs", hand), ("hf2ms", ours)):
        describe(name, [one.way for one in all], objects * size)
    print(f"\nhf2ms is {ratio([one.way for one in hand], [one.way for one in ours])} times faster (goal: 3).")
    servers = [statistics.median(one.servers for one in all) for all in (hand, ours)]
    print(f"The servers took {servers[0]:.1f} CPU seconds for git and git-lfs, {servers[1]:.1f} for hf2ms.")


# Small objects, their bytes, and the commits over which they are spread: few, since a history takes time of its own.
SMALL, SMALL_BYTES, SMALL_COMMITS = 5_000, 200, 50
# How the servers of small objects stand. Far away, what counts is how many requests are under way.
SERVERS = {"giftless": (), "giftless behind nginx": ("--nginx",), "giftless, 100 ms away": ("--latency", 100)}


def bench_small(args) -> None:
    """Small objects, whose time is that of their requests; who asks how often is told, since the servers' own time is a bound for both."""
    table(f"A mirror: {SMALL:,} LFS objects of {SMALL_BYTES} bytes", "servers", "way", "seconds", "CPU seconds", "peak MiB", "CPU s of the servers", "requests for LFS")
    for name, wish in SERVERS.items():
        ways: dict[str, list[Mirrored]] = {"by_hand": [], "ours": []}
        for _ in range(args.runs):
            for way, all in ways.items():
                with Hosts(SMALL_COMMITS, SMALL, SMALL_BYTES, wish) as hosts:
                    all.append(hosts.mirrored(way))
                asked = sum(count for counts in hosts.asked for route, count in counts.items() if "/lfs/" in route)
                if len(all) == args.runs:
                    mid = {part: statistics.median(of(one) for one in all) for part, of in PARTS.items()}
                    row(name, "hf2ms" if way == "ours" else "git and git-lfs", *(f"{mid[part]:.1f}" for part in PARTS), f"{asked:,}")
        print(f"<!-- {name}: hf2ms is {ratio([one.way for one in ways['by_hand']], [one.way for one in ways['ours']])} times faster (goal: 5, and 10 s) -->", flush=True)


PARTS = {
    "seconds": lambda one: one.way.seconds, "cpu": lambda one: one.way.cpu,
    "peak": lambda one: one.way.peak_mib, "servers": lambda one: one.servers,
}


def history() -> None:
    table("20,000 commits with 5,000 LFS objects in history", "step", "seconds", "written to disk MiB", "temporary folder at most MiB", "LFS objects moved")
    with Hosts(20_000, 5_000, 20) as hosts:
        source, target = (at["url"] for at in hosts.at)
        look = [BIN / "hf2ms", "mirror", "-s", source, "-t", target, "--json", "--dry-run"]
        figures = measure(look, hosts.env, hosts.work / "log")
        row("every pointer found (dry run; goal: 30 s)", f"{figures.seconds:.2f}", f"{figures.disk_mib:.0f}", "", hosts.report()["scan"]["pointers"])
        for name in ("mirror", "a second run with nothing new (goal: 2 s)"):
            with Largest(hosts.temp) as largest:
                figures = hosts.ours()
            row(name, f"{figures.seconds:.2f}", f"{figures.disk_mib:.0f}", f"{largest.mib:.1f}", hosts.report()["moved"])
        print(f"\nGit's packs have {hosts.report()['git_bytes'] / (1 << 20):.1f} MiB (goal: 10 MiB more on disk at most).")
