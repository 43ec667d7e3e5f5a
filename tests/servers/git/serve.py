"""One host as a process of its own, for measurements: says where it is as a line of JSON, and ends with its standard input. Then it says
how often each route was asked, as another line.

`--commits N --objects N --bytes N` fills `bench/model` with a history whose LFS objects are spread over its commits. With `--nginx`
that program moves LFS contents. With `--latency MS` each answer comes so many milliseconds later.
"""

import argparse
import collections
import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from servers.git.host import ALICE, Host  # noqa: E402
from servers.git.nginx import Nginx  # noqa: E402
from servers.git.repos import Lfs, Repo  # noqa: E402


def fill(repo, commits, objects, size):
    every = max(commits // max(objects, 1), 1)
    # Of more objects than commits, each commit has as many as another.
    together = max(objects // commits, 1)
    for number in range(commits):
        files = {f"notes/{number % 100}.txt": f"{number}\n".encode()}
        if number % every == 0 and number // every < objects:
            files[f"weights-{number // every}.bin"] = Lfs(random.Random(number).randbytes(size))
        for more in range(number * together + 1, (number + 1) * together):
            files[f"more/{number}/{more}.bin"] = Lfs(random.Random(1_000_000 + more).randbytes(size))
        repo.commit("refs/heads/main", files)
    repo.flush().tag("v1", "main")


def route_of(seen):
    _, _, below = seen.path.partition(".git/")
    folder, _, name = below.rpartition("/")
    return f"{seen.method} {folder}/OID" if folder.endswith("/storage") and name != "verify" else f"{seen.method} {below}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir")
    for name in ("--commits", "--objects", "--bytes"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--nginx", action="store_true")
    parser.add_argument("--latency", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hf2ms-forge-", dir=args.dir) as folder:
        host = Host(Path(folder) / "git", Path(folder) / "lfs")
        host.root.mkdir()
        host.store.mkdir()
        host.start()
        repo = Repo.new(host, "bench/model")
        if args.commits:
            fill(repo, args.commits, args.objects, args.bytes)
        front = Nginx(host, Path(folder) / "nginx") if args.nginx else None
        url = repo.url.replace(host.url, front.url) if front else repo.url
        host.form.latency = args.latency / 1000
        print(json.dumps({"url": url, "user": ALICE[0], "password": ALICE[1]}), flush=True)
        sys.stdin.read()
        print(json.dumps(collections.Counter(route_of(seen) for seen in host.seen)), flush=True)
        if front:
            front.stop()
        host.stop()


if __name__ == "__main__":
    main()
