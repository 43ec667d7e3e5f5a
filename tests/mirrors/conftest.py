"""One host for all tests, `hf2ms` as a user starts it, and the real clients that judge what came of it."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from host import ALICE, Host  # noqa: E402
from repos import Repo, git, with_history  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("HF2MS_BIN", ROOT / "target/debug/hf2ms"))
STATIC = Path(os.environ.get("HF2MS_STATIC_WORKER", ROOT / "target/static/hf2ms-worker"))
CANARY = "canary"
NUMBERS = itertools.count()
CLEAN = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}


def until(is_so):
    """Waits, but not for ever."""
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


@dataclass
class Ran:
    """How `hf2ms` ended."""

    code: int
    stdout: str
    stderr: str

    def events(self):
        return [json.loads(line) for line in self.stdout.splitlines()]

    def report(self):
        return next(event for event in reversed(self.events()) if event["event"] == "report")

    def refs(self):
        """What became of each ref: state, and why."""
        return {ref["name"]: ref["state"] for ref in self.report()["refs"]}

    def ended(self, code, *words):
        said = self.stdout + self.stderr
        assert self.code == code, f"{self.code}: {said}"
        assert all(word in said for word in words), said
        return self


class World:
    """A source and a target, and a place for runs."""

    def __init__(self, host, folder):
        self.host, self.folder, self.number = host, folder, next(NUMBERS)
        host.fresh()
        host.gitlab.fresh()
        self.source = Repo.new(host, f"from{self.number}/model")

    def target(self, **more):
        return Repo.new(self.host, f"to{self.number}/model", **more)

    def environment(self, **more):
        env = {**CLEAN, "HOME": str(self.folder), "HF2MS_STATE": str(self.folder / "state"), "HF2MS_RETRY_BASE": "0.01", "HF2MS_STALL": "5"}
        env |= {"SOURCE_USERNAME": ALICE[0], "SOURCE_TOKEN": ALICE[1], "TARGET_USERNAME": ALICE[0], "TARGET_TOKEN": ALICE[1]}
        env["HF2MS_WORKER"] = str(BIN.with_name("hf2ms-worker"))
        return {name: value for name, value in (env | more).items() if value is not None}

    def run(self, *args, **env):
        """Runs `hf2ms mirror`."""
        return self.hf2ms("mirror", *args, **env)

    def hf2ms(self, *args, **env):
        """Runs `hf2ms`; nothing it says, writes or puts into an address may hold a password."""
        command = [str(BIN), *map(str, args)]
        here = dict(env=self.environment(**env), cwd=self.folder, stdin=subprocess.DEVNULL)
        ran = subprocess.run(command, **here, capture_output=True, text=True, timeout=300)
        written = [path.read_text(errors="replace") for path in (self.folder / "state").rglob("*") if path.is_file()]
        asked = [seen.path + seen.query for seen in self.host.seen]
        assert not any(CANARY in text for text in [ran.stdout, ran.stderr, *written, *asked]), "a password got out"
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def mirror(self, target, *more, **env):
        return self.run("-s", self.source.url, "-t", target.url, "--json", *more, **env)

    def clone(self, repo):
        """The real clients: clone, every LFS object of every branch and tag, and a check of each of them."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        url = repo.url.replace("http://", f"http://{ALICE[0]}:{ALICE[1]}@")
        env = {**CLEAN, "HOME": str(folder)}
        git(folder, "lfs", "install", "--skip-repo", env=env)
        subprocess.run(["git", "clone", "--quiet", url, str(folder / "c")], env=env, check=True, capture_output=True)
        git(folder / "c", "lfs", "fetch", "--all", env=env)
        git(folder / "c", "lfs", "pull", env=env)
        assert "Git LFS fsck OK" in git(folder / "c", "lfs", "fsck", env=env)
        return folder / "c"

    def is_mirrored(self, target, objects, refs=None):
        """Ref by ref and object by object, then by the real clients."""
        expected = refs or {name: oid for name, oid in self.source.refs().items() if name.startswith(("refs/heads/", "refs/tags/"))}
        assert target.refs() == expected
        assert target.objects() == objects
        self.clone(target)


@pytest.fixture(scope="session")
def host():
    with tempfile.TemporaryDirectory(prefix="hf2ms-forge-") as folder:
        host = Host(Path(folder) / "git", Path(folder) / "lfs")
        host.root.mkdir()
        host.store.mkdir()
        host.start()
        yield host
        host.stop()


@pytest.fixture
def world(host, tmp_path):
    return World(host, tmp_path)


@pytest.fixture
def history(world):
    """A world whose source has branches, tags and LFS objects in its history: with the objects' ids."""
    _, objects = with_history(world.source)
    return world, objects
