"""Whole-process timings of hf2ms, of the Python path and of a plain relay, against one sandbox.

The Python path is what people run today: huggingface_hub's snapshot_download into a folder, then
modelscope-hub's upload_folder. Every measurement begins with fresh hubs, so that nothing is stored already. The hubs share
this machine's cores, but are not what is measured: the source makes its bytes from a seed or keeps them in
memory (/dev/shm), and the destination counts the bytes of large uploads and forgets them, for every way alike. Figures are medians over the runs; ratios are of
runs made in turn on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("HF2MS_BENCH_PROFILE", "release")
REPO = "alice/bench"
GIB = 1 << 30
HF_TOKEN, MS_TOKEN = "hf_sandboxAliceWrite", "ms-sandbox-alice-write"

PYTHON_PATH = f"""
import os, sys
from huggingface_hub import snapshot_download
from modelscope_hub import HubApi
folder = snapshot_download({REPO!r}, local_dir=sys.argv[1])
api = HubApi(token=os.environ["MODELSCOPE_TOKEN"], endpoint=os.environ["MODELSCOPE_ENDPOINT"])
api.create_repo({REPO!r}, repo_type="model", visibility="private")
api.upload_folder(repo_id={REPO!r}, repo_type="model", folder_path=folder, ignore_patterns=[".cache/**", ".cache"])
"""

PYTHON_PATH_BACK = f"""
import os, sys
from modelscope_hub import HubApi
from huggingface_hub import HfApi
HubApi(token=os.environ["MODELSCOPE_TOKEN"], endpoint=os.environ["MODELSCOPE_ENDPOINT"]).download_repo({REPO!r}, "model", local_dir=sys.argv[1])
api = HfApi()
api.create_repo({REPO!r}, private=True)
api.upload_folder(repo_id={REPO!r}, folder_path=sys.argv[1], ignore_patterns=[".cache/**", "._*", ".m*"])
"""


@dataclass
class Figures:
    """One finished process and all its children."""

    seconds: float
    cpu: float
    peak_mib: float
    disk_mib: float


class Hubs:
    """A fresh sandbox."""

    def __enter__(self) -> "Hubs":
        self.work = Path(tempfile.mkdtemp(prefix="hf2ms-bench-", dir="/dev/shm"))
        command = [BIN / "hf2ms-sandbox", "serve", "--dir", self.work / "hubs", "--parent-stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.at = json.loads(self.process.stdout.readline())
        self.env = dict(
            os.environ,
            HF_ENDPOINT=self.at["hf"], HF_TOKEN=HF_TOKEN, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_TELEMETRY="1", MODELSCOPE_ENDPOINT=self.at["ms"], MODELSCOPE_TOKEN=MS_TOKEN, HF2MS_STATE=str(self.work / "state"),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def ask(self, path: str, body: object = None, method: str | None = None) -> object:
        return post(self.at["admin"] + path, body, method=method)

    def requests_at(self, hub: str) -> int:
        return sum(route["requests"] for name, route in self.ask("/counters").items() if name.startswith(f"{hub}."))

    def requests(self) -> int:
        return sum(route["requests"] for route in self.ask("/counters").values() if isinstance(route, dict))


def post(url: str, body: object, token: str | None = None, method: str | None = None) -> object:
    headers = {"content-type": "application/json", "accept": "application/vnd.git-lfs+json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def measure(command: list[object], env: dict[str, str], log: Path) -> Figures:
    """Run to the end; the operating system's own accounting of the process and its waited-for children."""
    with log.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    if status != 0:
        sys.exit(f"{command[0]} failed:\n{log.read_text(errors='replace')[-3000:]}")
    return Figures(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, usage.ru_oublock / 2048)


def python_path(hubs: Hubs, program: str = PYTHON_PATH) -> Figures:
    # Its folder is on a real disk, as a container's is; what it leaves goes away outside the measurement, and is not
    # still being written while the other way runs.
    with tempfile.TemporaryDirectory(prefix="hf2ms-bench-") as folder:
        figures = measure([sys.executable, "-c", program, folder], hubs.env, hubs.work / "log")
    os.sync()
    return figures


def hf2ms(hubs: Hubs) -> Figures:
    return measure([BIN / "hf2ms", "migrate", f"hf:{REPO}", "--to", "ms", "--verify", "listing", "--json"], hubs.env, hubs.work / "log")


# Requests at the source, run by run.
BY_GIT: list[int] = []


def hf2ms_by_git(hubs: Hubs) -> Figures:
    figures = measure([BIN / "hf2ms", "migrate", f"hf:{REPO}", "--to", "ms", "--use-git", "--verify", "listing", "--json"], hubs.env, hubs.work / "log")
    BY_GIT.append(hubs.requests_at("hf"))
    return figures


def python_path_back(hubs: Hubs) -> Figures:
    return python_path(hubs, PYTHON_PATH_BACK)


def hf2ms_back(hubs: Hubs) -> Figures:
    return measure([BIN / "hf2ms", "migrate", f"ms:{REPO}", "--verify", "listing", "--json"], hubs.env, hubs.work / "log")


def relay(hubs: Hubs) -> Figures:
    """curl to curl, one pipe a file, all at once: nothing is looked at."""
    tree = post(f"{hubs.at['hf']}/api/models/{REPO}/tree/main?recursive=true", None, HF_TOKEN)
    objects = [{"oid": entry["lfs"]["oid"], "size": entry["size"]} for entry in tree if "lfs" in entry]
    hubs.ask("/seed", {"hub": "ms", "kind": "model", "id": REPO, "files": []})
    batch = {"operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"}
    sources = post(f"{hubs.at['hf']}/{REPO}.git/info/lfs/objects/batch", batch, HF_TOKEN)["objects"]
    targets = post(f"{hubs.at['ms']}/api/v1/repos/models/{REPO}/info/lfs/objects/batch", {"operation": "upload", "objects": objects}, MS_TOKEN)
    put = {entry["oid"]: entry["actions"]["upload"]["href"] for entry in targets["Data"]["objects"]}
    pipe = "curl -sf '{}' | curl -sf -X PUT -H 'Content-Length: {}' -H 'Transfer-Encoding:' -T - '{}' &"
    pipes = [pipe.format(entry["actions"]["download"]["href"], entry["size"], put[entry["oid"]]) for entry in sources]
    return measure(["sh", "-c", "\n".join([*pipes, "wait"])], hubs.env, hubs.work / "log")


def large_files(count: int, size: int) -> dict:
    return {"files": [{"path": f"model-{n:05}.safetensors", "size": size, "seed": n + 1, "virtual": True} for n in range(count)]}


def small_files(count: int, folders: int) -> dict:
    return {"files": [], "generate": {"count": count, "folders": folders, "size": 2048, "suffix": ".txt", "seed": 1}}


def once(how, content: dict, settings: dict | None = None) -> Figures:
    source = "ms" if how in (python_path_back, hf2ms_back) else "hf"
    with Hubs() as hubs:
        hubs.ask("/seed", {"hub": source, "kind": "model", "id": REPO, "private": True, **content})
        hubs.ask("/settings", {"uploads": "count", **(settings or {})})
        return how(hubs)


def median(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(one, name) for one in figures) for name in Figures.__dataclass_fields__))


def in_turn(ways: list, runs: int, content: dict, settings: dict | None = None) -> list[list[Figures]]:
    """Each way, run by run in turn, so that a machine whose speed drifts treats all alike."""
    rounds = [[once(way, content, settings) for way in ways] for _ in range(runs)]
    return [list(figures) for figures in zip(*rounds)]


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def table(title: str, *head: str) -> None:
    print(f"\n### {title}\n")
    row(*head)
    row(*["---"] * len(head))


def ratio(slow: list[Figures], fast: list[Figures]) -> str:
    pairs = [a.seconds / b.seconds for a, b in zip(slow, fast)]
    return f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"


def describe(name: str, figures: list[Figures], total: float) -> None:
    mid = median(figures)
    row(name, f"{mid.seconds:.2f}", f"{total / mid.seconds / 1e6:.0f}", f"{mid.cpu * GIB / total:.2f}", f"{mid.peak_mib:.0f}", f"{mid.disk_mib:.0f}")


HEAD = ("way", "seconds", "MB/s", "CPU s a GiB", "peak MiB", "written to disk MiB")


def bench_large(args: argparse.Namespace) -> None:
    python, ours = in_turn([python_path, hf2ms], args.runs, large_files(4, int(args.gib * GIB)))
    table(f"4 files of {args.gib:g} GiB, one worker", *HEAD)
    describe("Python path", python, 4 * args.gib * GIB)
    describe("hf2ms", ours, 4 * args.gib * GIB)
    print(f"\nhf2ms is {ratio(python, ours)} times faster (goal: 4).")


def bench_back(args: argparse.Namespace) -> None:
    python, ours = in_turn([python_path_back, hf2ms_back], args.runs, large_files(4, int(args.gib * GIB)))
    table(f"From ModelScope to Hugging Face, in parts: 4 files of {args.gib:g} GiB, one worker", *HEAD)
    describe("Python path", python, 4 * args.gib * GIB)
    describe("hf2ms", ours, 4 * args.gib * GIB)
    print(f"\nhf2ms is {ratio(python, ours)} times faster (goal: 4).")


def bench_shaped(args: argparse.Namespace) -> None:
    total, rate = args.gib * GIB, 100_000_000
    limits = {"hf_down": rate, "ms_up": rate}
    python, ours = in_turn([python_path, hf2ms], args.runs, large_files(4, int(total / 4)), limits)
    table(f"4 files, {args.gib:g} GiB in all, both links at 100 MB/s", *HEAD, "of the line's time")
    for name, figures in (("Python path", python), ("hf2ms", ours)):
        mid = median(figures)
        line = mid.seconds / (total / rate)
        row(name, f"{mid.seconds:.2f}", f"{total / mid.seconds / 1e6:.0f}", f"{mid.cpu * GIB / total:.2f}", f"{mid.peak_mib:.0f}", f"{mid.disk_mib:.0f}", f"{line:.3f}x")
    print("\n(goal: 1.08x)")


def bench_small(args: argparse.Namespace) -> None:
    python, ours = in_turn([python_path, hf2ms], args.runs, small_files(5000, 50))
    table("5,000 text files of 2 KB in 50 folders", "way", "seconds", "CPU seconds", "peak MiB")
    for name, figures in (("Python path", python), ("hf2ms", ours)):
        mid = median(figures)
        row(name, f"{mid.seconds:.2f}", f"{mid.cpu:.2f}", f"{mid.peak_mib:.0f}")
    print(f"\nhf2ms is {ratio(python, ours)} times faster (goal: 4).")


def bench_git(args: argparse.Namespace) -> None:
    python, ours = in_turn([python_path, hf2ms_by_git], args.runs, small_files(5000, 50))
    table("5,000 text files of 2 KB in 50 folders, by Git", "way", "seconds", "CPU seconds", "peak MiB", "written to disk MiB", "requests at the source")
    for name, figures, asked in (("Python path", python, "more than 5,000"), ("hf2ms", ours, max(BY_GIT))):
        mid = median(figures)
        row(name, f"{mid.seconds:.2f}", f"{mid.cpu:.2f}", f"{mid.peak_mib:.0f}", f"{mid.disk_mib:.0f}", asked)
    print(f"\nhf2ms is {ratio(python, ours)} times faster (goal: 10, and 50 requests).")


def bench_ways(args: argparse.Namespace) -> None:
    """From how many files on Git is sooner than a request each."""
    table("Small files of 2 KB: a request each, or Git", "files", "latency ms", "a request each, s", "requests", "by Git, s", "requests")
    for latency in (0, 100):
        for count in (50, 200, 1000, 5000):
            cells = []
            for way in (hf2ms, hf2ms_by_git):
                with Hubs() as hubs:
                    hubs.ask("/seed", {"hub": "hf", "kind": "model", "id": REPO, "private": True, **small_files(count, 50)})
                    hubs.ask("/settings", {"latency_ms": latency})
                    if way is hf2ms:
                        hubs.ask("/faults", {"route": "hf.git_refs", "kind": {"do": "status", "status": 501}})
                    figures = way(hubs)
                    cells += [f"{figures.seconds:.2f}", hubs.requests_at("hf")]
            row(count, latency, *cells)


def bench_again(_: argparse.Namespace) -> None:
    table("A second run when all is there", "repo", "files", "requests", "files a request", "blobs moved", "seconds")
    cases = {"5,000 text files in 50 folders": (small_files(5000, 50), 5000), "8 files of 64 MiB": (large_files(8, 64 << 20), 8)}
    for name, (content, files) in cases.items():
        with Hubs() as hubs:
            hubs.ask("/seed", {"hub": "hf", "kind": "model", "id": REPO, "private": True, **content})
            hf2ms(hubs)
            hubs.ask("/counters/reset", {})
            again = hf2ms(hubs)
            routes = hubs.ask("/counters")
            blobs = routes.get("ms_storage.put", {}).get("requests", 0)
            row(name, files, hubs.requests(), f"{files / hubs.requests():.0f}", blobs, f"{again.seconds:.2f}")
    print("\n(goal: no blob, 500 files a request)")


def bench_requests(args: argparse.Namespace) -> None:
    """How often the hubs are asked, in each direction."""
    table("Requests for text files of 2 KB in 50 folders", "files", "to", "way", "requests", "commits", "routes")
    ways = (("ModelScope", "Python path", "hf", python_path), ("ModelScope", "hf2ms", "hf", hf2ms), ("Hugging Face", "hf2ms", "ms", hf2ms_back))
    for count in map(int, args.counts.split(",")):
        for to, name, source, way in ways:
            # The Python path takes minutes for more.
            if way is python_path and (count > 1000 or args.no_python):
                continue
            with Hubs() as hubs:
                hubs.ask("/seed", {"hub": source, "kind": "model", "id": REPO, "private": True, **small_files(count, 50)})
                hubs.ask("/counters/reset", {})
                way(hubs)
                routes = {name: route["requests"] for name, route in hubs.ask("/counters").items() if isinstance(route, dict) and route["requests"]}
            commits = routes.get("ms.commit", 0) + routes.get("hf.commit", 0)
            most = sorted(routes.items(), key=lambda route: -route[1])
            row(grouped(count), to, name, grouped(sum(routes.values())), commits, ", ".join(f"{name} {grouped(asked)}" for name, asked in most))


def grouped(count: int) -> str:
    return f"{count:,}"


def bench_relay(args: argparse.Namespace) -> None:
    piped, ours = in_turn([relay, hf2ms], args.runs, large_files(4, int(args.gib * GIB)))
    table(f"4 files of {args.gib:g} GiB against a relay that only pipes (curl to curl, no digest)", *HEAD)
    describe("relay", piped, 4 * args.gib * GIB)
    describe("hf2ms", ours, 4 * args.gib * GIB)
    print(f"\nhf2ms has {ratio(piped, ours)} of the relay's rate (goal: 0.7).")


# MiB of each of 17 repos, about 1 GiB in all.
MIXED = (256, 192, 128, 96, 64, 64, 48, 32, 32, 24, 16, 16, 12, 8, 8, 4, 4)


def mixed(gib: float) -> list[list[dict]]:
    """The files of each repo: four blobs, or one where it is small, and a README.md."""
    repos = []
    for n, mib in enumerate(MIXED):
        count = 4 if mib >= 64 else 1
        size = int(mib * gib * (1 << 20)) // count
        blobs = [{"path": f"part-{i}.safetensors", "size": size, "seed": 100 * n + i + 1} for i in range(count)]
        repos.append([*blobs, {"path": "README.md", "text": f"# {n}\n"}])
    return repos


def as_one(hubs: Hubs, repos: list[list[dict]]) -> Figures:
    files = [{**file, "path": f"{n}/{file['path']}"} for n, repo in enumerate(repos) for file in repo]
    hubs.ask("/seed", {"hub": "hf", "kind": "model", "id": REPO, "private": True, "files": files})
    return measure([BIN / "hf2ms", "migrate", REPO, "--containers", "4", "--json"], hubs.env, hubs.work / "log")


def as_many(hubs: Hubs, repos: list[list[dict]]) -> Figures:
    ids = [f"alice/bench-{n}" for n in range(len(repos))]
    for repo, files in zip(ids, repos):
        hubs.ask("/seed", {"hub": "hf", "kind": "model", "id": repo, "private": True, "files": files})
    return measure([BIN / "hf2ms", "batch", *ids, "--containers", "4", "--json"], hubs.env, hubs.work / "log")


def bench_batch(args: argparse.Namespace) -> None:
    repos = mixed(args.gib)
    total = sum(file.get("size", 0) for repo in repos for file in repo)
    for line, limits in (("both links at 100 MB/s", {"hf_down": 100_000_000, "ms_up": 100_000_000}), ("no limit", {})):
        rounds = []
        for _ in range(args.runs):
            figures = []
            for way in (as_one, as_many):
                with Hubs() as hubs:
                    hubs.ask("/settings", {"uploads": "count", **limits})
                    figures.append(way(hubs, repos))
            rounds.append(figures)
        one, many = (list(figures) for figures in zip(*rounds))
        table(f"17 repos of mixed sizes, {args.gib:g} GiB in all, 4 workers, {line}", *HEAD)
        describe("one repo with the same blobs", one, total)
        describe("batch", many, total)
        print(f"\nThe batch takes {ratio(many, one)} of the time (goal: 1.1).")


def bench_mirror(args: argparse.Namespace) -> None:
    import bench_mirror as mirrors

    mirrors.bench_mirror(args)


def bench_mirror_small(args: argparse.Namespace) -> None:
    import bench_mirror as mirrors

    mirrors.bench_small(args)


def bench_lines(args: argparse.Namespace) -> None:
    import bench_lines as lines

    lines.bench_lines(args)


CASES = {
    "large": bench_large, "back": bench_back, "shaped": bench_shaped, "small": bench_small, "again": bench_again, "relay": bench_relay,
    "batch": bench_batch, "git": bench_git, "ways": bench_ways, "mirror": bench_mirror, "mirror-small": bench_mirror_small,
    "lines": bench_lines, "requests": bench_requests,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="which, by comma (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument("--gib", type=float, default=1.0, help="GiB a large file (default: 1)")
    parser.add_argument("--lines", default="near,far,lossy,rationed", help="with the case lines: which of them")
    parser.add_argument("--shapes", default="one,many,small", help="with the case lines: one (a large file), many (64 of 16 MiB), sixteen (of 64 MiB), small (5,000)")
    parser.add_argument("--ways", default="to,back", help="with the case lines: to ModelScope, back, or both")
    parser.add_argument("--no-python", action="store_true", help="with the cases lines and requests: hf2ms alone")
    parser.add_argument("--counts", default="1000,10000,100000", help="with the case requests: how many files")
    args = parser.parse_args()
    for name in args.cases.split(","):
        CASES[name](args)


if __name__ == "__main__":
    main()
