"""Repositories for the host: written by `git fast-import`, their LFS objects put into the store."""

import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from servers.git.host import HOOK


@dataclass(frozen=True)
class Lfs:
    """A file kept in LFS: its content, and whether the store gets it."""

    content: bytes
    stored: bool = True

    @property
    def oid(self):
        return hashlib.sha256(self.content).hexdigest()

    def pointer(self):
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {len(self.content)}\n".encode()


def git(path, *args, **more):
    return subprocess.run(["git", "-C", str(path), *args], check=True, capture_output=True, text=True, **more).stdout


@dataclass
class Repo:
    """A bare repository of the host."""

    host: object
    name: str
    clock: int = 1_700_000_000
    stream: list = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.host.root / f"{self.name}.git"

    @property
    def url(self):
        return f"{self.host.url}/{self.name}.git"

    @classmethod
    def new(cls, host, name, hook=False):
        repo = cls(host, name)
        repo.path.mkdir(parents=True)
        # Two uploads at once would both make it, and giftless fails one of them.
        (host.store / name).mkdir(parents=True)
        git(repo.path, "init", "--quiet", "--bare", "--initial-branch=main")
        git(repo.path, "config", "http.receivepack", "true")
        git(repo.path, "config", "receive.advertisePushOptions", "true")
        if hook:
            (repo.path / "hooks").mkdir(exist_ok=True)
            (repo.path / "hooks/pre-receive").symlink_to(HOOK)
        return repo

    def config(self, *args):
        git(self.path, "config", *args)
        return self

    def commit(self, ref, files, message="a commit", parent=None):
        """Adds a commit to a ref; `parent` starts it elsewhere. Written by `flush`."""
        self.clock += 60
        body = [f"commit {ref}\ncommitter A <a@example.org> {self.clock} +0000\ndata {len(message)}\n{message}\n".encode()]
        if parent:
            body.append(f"from {parent}^0\n".encode())
        for path, content in files.items():
            body.append(self.change(path, content))
        self.stream.append(b"".join(body) + b"\n")
        return self

    def change(self, path, content):
        if content is None:
            return f"D {path}\n".encode()
        if isinstance(content, Lfs):
            if content.stored:
                self.put(content)
            content = content.pointer()
        return f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"

    def put(self, lfs):
        folder = self.host.store / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / lfs.oid).write_bytes(lfs.content)

    def flush(self):
        subprocess.run(["git", "-C", str(self.path), "fast-import", "--quiet", "--force"], input=b"".join(self.stream), check=True)
        self.stream.clear()
        return self

    def tag(self, name, at="main", message=None):
        args = ["tag", "-f", name, at] + (["-a", "-m", message] if message else [])
        git(self.path, "-c", "user.name=A", "-c", "user.email=a@example.org", *args)
        return self

    def ref(self, name, at):
        git(self.path, "update-ref", name, at)
        return self

    def refs(self):
        """Every ref with the object it names."""
        lines = git(self.path, "for-each-ref", "--format=%(refname) %(objectname)").split("\n")
        return dict(line.split(" ") for line in lines if line)

    def objects(self):
        """The LFS objects that the store has of it, whole: giftless leaves what came of an upload that broke."""
        folder = self.host.store / self.name
        whole = (path.name for path in folder.glob("*") if hashlib.sha256(path.read_bytes()).hexdigest() == path.name)
        return set(whole)


def with_history(repo):
    """Several branches, tags, and LFS objects that only the history still names."""
    old, new, side = Lfs(b"first weights" * 1000), Lfs(b"second weights" * 2000), Lfs(b"of a branch" * 3000)
    attributes = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"
    repo.commit("refs/heads/main", {".gitattributes": attributes, "README.md": b"# One\n", "w.bin": old}, "first")
    repo.commit("refs/heads/main", {"w.bin": new, "folder/n.txt": b"n\n"}, "second").flush()
    repo.commit("refs/heads/dev/x", {"side.bin": side}, "side", parent="refs/heads/main~1")
    repo.flush()
    repo.tag("v1", "main~1").tag("v2", "main", message="the second")
    return repo, {old.oid, new.oid, side.oid}
