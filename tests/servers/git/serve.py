"""One host as a process of its own, for measurements: says where it is as a line of JSON, and ends with its standard input.

`--commits N --objects N --bytes N` fills `bench/model` with a history whose LFS objects are spread over its commits. With `--nginx`
that program moves LFS contents.
"""

import argparse
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
    for number in range(commits):
        files = {f"notes/{number % 100}.txt": f"{number}\n".encode()}
        if number % every == 0 and number // every < objects:
            files[f"weights-{number // every}.bin"] = Lfs(random.Random(number).randbytes(size))
        repo.commit("refs/heads/main", files)
    repo.flush().tag("v1", "main")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir")
    for name in ("--commits", "--objects", "--bytes"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--nginx", action="store_true")
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
        print(json.dumps({"url": url, "user": ALICE[0], "password": ALICE[1]}), flush=True)
        sys.stdin.read()
        if front:
            front.stop()
        host.stop()


if __name__ == "__main__":
    main()
