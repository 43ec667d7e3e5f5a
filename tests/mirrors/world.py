"""`hf2ms mirror` as a user starts it, between two repos of one host, and the real clients that check the result."""

import itertools
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from programs import HF2MS, WORKER
from servers.git.host import ALICE
from servers.git.repos import Repo, git

CANARY = "canary"
NUMBERS = itertools.count()
CLEAN = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}


@dataclass
class Ran:
    """How `hf2ms` ended."""

    code: int
    stdout: str
    stderr: str

    def events(self):
        lines = [json.loads(line) for line in self.stdout.splitlines()]
        return [line for line in lines if line.get("event") != "start"]

    def report(self):
        return next(event for event in reversed(self.events()) if event["event"] in ("mirror_report", "pull_mirror"))

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
        env["HF2MS_WORKER"] = str(WORKER)
        return {name: value for name, value in (env | more).items() if value is not None}

    def run(self, *args, **env):
        """Runs `hf2ms mirror`."""
        return self.hf2ms("mirror", *args, **env)

    def hf2ms(self, *args, **env):
        """Runs `hf2ms`; nothing it says, writes or puts into an address may hold a password."""
        command = [str(HF2MS), *map(str, args)]
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
