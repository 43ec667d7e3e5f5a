"""Rounds that mirror a repo of the sandbox, by its Git, to a Git host: what the target holds is read by Git itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from campaign import checks, content, githost, hubs
from campaign.checks import Problem
from campaign.content import seeded, sha256
from campaign.draw import Round
from campaign.githost import git

POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")
LARGEST_POINTER = 1024
SHOWN_REFS = ("refs/heads/", "refs/tags/")


def refs_of(path: Path) -> dict[str, str]:
    lines = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def pointers(path: Path) -> dict[str, str]:
    """The LFS objects that any commit of a repository names, with a file that does so."""
    listed = git(path, "rev-list", "--objects", "--all").splitlines()
    names = {line[:40]: line[41:] for line in listed}
    asked = "\n".join(names).encode()
    said = subprocess.run(["git", "-C", str(path), "cat-file", "--batch-check"], input=asked, capture_output=True, check=True).stdout.decode()
    small = [line.split()[0] for line in said.splitlines() if line.split()[1] == "blob" and int(line.split()[2]) <= LARGEST_POINTER]
    found = {}
    for oid in small:
        text = subprocess.run(["git", "-C", str(path), "cat-file", "blob", oid], capture_output=True, check=True).stdout
        if pointer := POINTER.fullmatch(text):
            found[pointer[1].decode()] = names[oid]
    return found


class MirrorCheck:
    """The source and the target of one mirror."""

    def __init__(self, sandbox, host: githost.GitHost, round: Round, rng):
        self.sandbox, self.host, self.round, self.rng = sandbox, host, round, rng
        self.copy = round.copies[0]
        self.name = f"mirrors/r{round.seed}"
        self.path = host.new(self.name)
        self.url = f"{host.url}/{self.name}.git"
        self.before: dict[str, str] = {}
        # Every state that the source's refs had, and where a stranger put a ref of the target.
        self.states: list[dict[str, str]] = []
        self.theirs: dict[str, str] = {}
        self.their_run = None

    def seed(self):
        copy, hub = self.copy, self.round.source_hub
        source = dict(hub=hub, kind=self.round.kind, id=copy.source)
        older = content.changed(self.rng, copy.files)
        self.sandbox.post("/seed", **source, private=copy.private, files=seeded(older))
        if self.round.target == "older":
            self.take_over()
        gone = [path for path in older if path not in copy.files]
        self.sandbox.post("/seed", **source, files=seeded(copy.files), delete=gone, tags=copy.tags)
        for name, files in copy.branches.items():
            self.sandbox.post("/seed", **source, revision=name, files=seeded(files))
        if self.round.target == "unrelated":
            self.commit_at("refs/heads/main", {"a.txt": b"a\n", "b.txt": b"b\n"})
        if self.round.target == "older":
            self.commit_at("refs/heads/of-the-target", {"mine.txt": b"mine\n"})
        self.before = refs_of(self.path)

    def source_url(self) -> str:
        """The address of the source's Git, with a login."""
        login = f"oauth2:{hubs.token(self.sandbox, self.round.source_hub)}@"
        hub = self.sandbox.hf if self.round.source_hub == "hf" else self.sandbox.ms
        kind = "" if (self.round.source_hub, self.round.kind) == ("hf", "model") else f"{hubs.PLURAL[self.round.kind]}/"
        return f"{hub.replace('http://', 'http://' + login)}/{kind}{self.copy.source}.git"

    def take_over(self):
        """The target has what an earlier mirror brought."""
        git(self.path, "fetch", "--quiet", self.source_url(), "+refs/heads/*:refs/heads/*")
        known = {sha256(file): file for file in self.known_contents()}
        for oid in pointers(self.path):
            self.host.object_path(self.name, oid).parent.mkdir(parents=True, exist_ok=True)
            self.host.object_path(self.name, oid).write_bytes(known.get(oid) or self.read(oid))

    def known_contents(self) -> list[bytes]:
        return [*self.copy.files.values(), *(file for files in self.copy.branches.values() for file in files.values())]

    def read(self, oid: str) -> bytes:
        """An object of the source, by the path of its file."""
        path = pointers(self.path)[oid]
        url = hubs.file_url(self.sandbox, self.round.source_hub, self.round.kind, self.copy.source, hubs.MAIN[self.round.source_hub], path)
        return hubs.fetch(url, {"Authorization": f"Bearer {hubs.token(self.sandbox, self.round.source_hub)}"})[1]

    def commit_at(self, ref: str, files: dict[str, bytes]) -> str:
        """A commit of the target's own on a ref."""
        parent = refs_of(self.path).get(ref)
        body = f"commit {ref}\ncommitter A <a@example.org> 1700000000 +0000\ndata 2\nm\n".encode()
        body += f"from {parent}\n".encode() if parent else b""
        for path, text in files.items():
            body += f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n"
        subprocess.run(["git", "-C", str(self.path), "fast-import", "--quiet", "--force"], input=body, check=True)
        return refs_of(self.path)[ref]

    def stranger(self):
        """Someone pushes to the target: a branch of their own, or one of the mirror's."""
        existing = sorted(name for name in refs_of(self.path) if name.startswith("refs/heads/"))
        ref = self.rng.choice(["refs/heads/theirs", *existing])
        self.theirs = {ref: self.commit_at(ref, {"stranger.txt": b"a stranger's own words\n"})}

    def source_refs(self) -> dict[str, str]:
        lines = subprocess.run(["git", "ls-remote", self.source_url()], capture_output=True, text=True, check=True).stdout.splitlines()
        refs = dict(reversed(line.split("\t")) for line in lines)
        return {name: oid for name, oid in refs.items() if name.startswith(SHOWN_REFS) and not name.endswith("^{}")}

    def problems(self, ran, run: int, done: bool) -> list[Problem]:
        """What may not be, after the run of this number; `done` is whether it has to have got to its end."""
        if self.theirs and self.their_run is None:
            self.their_run = run
        self.states.append(self.source_refs())
        found = refs_of(self.path)
        problems = [*self.of_objects(), *self.of_refs(found, run, ran.output)]
        if done and self.round.target != "unrelated":
            problems += self.whole(found, run)
        if self.round.target == "unrelated" and found != self.before | self.theirs:
            problems.append(Problem("deletions", "the refs of an unrelated target were changed"))
        return [Problem(problem.kind, f"{self.name}: {problem.text}") for problem in problems]

    def of_objects(self) -> Iterator[Problem]:
        """Git's objects are whole, and each pointer leads to the object that it names."""
        checked = subprocess.run(["git", "-C", str(self.path), "fsck", "--full", "--connectivity-only"], capture_output=True, text=True)
        if checked.returncode != 0 or "missing" in checked.stdout:
            yield Problem("lost files", f"git fsck: {checked.stdout}{checked.stderr}")
            return
        stored = githost.stored(self.host, self.name)
        for oid, digest in stored.items():
            if oid != digest:
                yield Problem("wrong bytes", f"the LFS object {oid[:12]} holds other bytes")
        for oid, path in pointers(self.path).items():
            if oid not in stored:
                yield Problem("lost files", f"{path} is a pointer to nothing")

    def of_refs(self, found: dict[str, str], run: int, output: str) -> Iterator[Problem]:
        mirrors = "--mirror" in self.round.options
        for name in self.before:
            wanted = any(name in state for state in self.states)
            if name not in found and (not mirrors or wanted):
                yield Problem("deletions", f"{name} is gone")
        for name, oid in found.items():
            known = {state.get(name) for state in self.states} | {self.before.get(name), self.theirs.get(name)}
            if oid not in known and name.startswith(SHOWN_REFS):
                yield Problem("wrong bytes", f"{name} is at {oid[:12]}, where nobody put it")
        if run != self.their_run:
            return
        for name, oid in self.theirs.items():
            if name not in found:
                yield Problem("deletions", f"{name}, which someone else pushed during this run, is gone")
            elif found[name] != oid and name not in checks.troubles(output):
                yield Problem("overwritten", f"{name} held what someone else pushed")

    def keeps_theirs(self) -> bool:
        """Whether a ref stays where someone else put it, because without force nothing may be lost."""
        return "--no-force" in self.round.options and bool(self.theirs.keys() & self.source_refs())

    def whole(self, found: dict[str, str], run: int) -> Iterator[Problem]:
        """Every branch and tag is where the source's is, but for one that someone else moved in this very run, or that can't be forced."""
        for name, oid in self.states[-1].items():
            if found.get(name) != oid and not (name in self.theirs and (self.their_run == run or self.keeps_theirs())):
                yield Problem("lost files", f"{name} is not where the source's is, though success was said")

    def command(self, programs: dict, engine: list[str]) -> list[str]:
        kind = "" if self.round.kind == "model" else "datasets/"
        source = f"{self.round.source_hub}:{kind}{self.copy.source}"
        return [programs["hf2ms"], "mirror", "-s", source, "-t", self.url, *self.round.options, *engine, "--json"]
