"""Rounds of `hf2ms cleanup`: sources with copies, some of them not whole, faults, and what others change between two requests."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from campaign import content

# Seconds that a cleanup may take.
LONGEST = 300
BRANCHES = {"main": "master", "dev": "dev"}
# Where a fault may strike what cleanup reads.
FAULTY = ["hf.refs", "hf.info", "hf.tree", "hf.commits", "hf.discussions", "hf.resolve", "hf.delete", "ms.info", "ms.files", "ms.commits", "ms.revisions", "ms.git_refs", "ms.*", "hf.*"]
CHANGES = ["copy changed", "copy changed", "file gone", "file gone", "copy gone", "copy hidden", "branch of the copy", "source changed", "source changed", "branch of the source", "tag of the source", "source gone"]
KINDS = {
    "copy not whole": "a source was deleted while its copy lacked something of it, and a look at the copy after the change would have shown it",
    "not asked for": "a repo was deleted that was not named, or one of the copies' hub",
    "kept without a reason": "a source with a whole copy was kept, though no fault struck and nobody changed anything",
    "unfinished": "a cleanup that hangs, crashes, or ends with an exit code that it does not have",
}


@dataclass
class Repo:
    """A source, its copy, and what both hold by branch."""

    kind: str
    id: str
    branches: dict[str, dict[str, bytes]]
    copies: dict[str, dict[str, bytes]]
    tagged: bool
    # How its copy was made not whole; None where it is.
    lack: str | None = None


@dataclass
class CleanupRound:
    """What a seed draws."""

    seed: int
    repos: list[Repo]
    faults: list[dict]
    changes: list[dict] = field(default_factory=list)


@dataclass
class CleanupResult:
    """What a round came to."""

    seed: int
    problems: list[tuple[str, str]]
    code: int
    deleted: int
    whole: int
    thrown: Counter
    changed: Counter
    # Changes that came between the last look at a branch and the deletion.
    unseen: int
    seconds: float


def files(rng) -> dict[str, bytes]:
    drawn = {path: content.text(rng) + path.encode() for path in rng.sample(content.PLAIN, rng.randrange(1, 4))}
    return drawn | {f"{number}.safetensors": rng.randbytes(rng.randrange(1, 3000)) for number in range(rng.randrange(1, 3))}


def spoiled(rng, repo: Repo):
    """Takes something from the copy."""
    repo.lack = rng.choice(["absent", "a file less", "other bytes", "a branch less"])
    main = repo.copies["main"]
    path = rng.choice(sorted(main))
    if repo.lack == "absent":
        repo.copies.clear()
    elif repo.lack == "a file less":
        del main[path]
    elif repo.lack == "a branch less" and "dev" in repo.copies:
        del repo.copies["dev"]
    else:
        repo.lack = "other bytes"
        main[path] = bytes([main[path][0] ^ 1]) + main[path][1:]


def drawn(seed: int, count: int) -> CleanupRound:
    rng = random.Random(seed)
    repos = []
    for number in range(count):
        branches = {"main": files(rng)} | ({"dev": files(rng)} if rng.random() < 0.3 else {})
        repo = Repo(rng.choice(["model", "dataset"]), f"alice/c{seed}-{number}", branches, {name: dict(of) for name, of in branches.items()}, rng.random() < 0.3)
        if rng.random() < 0.1:
            spoiled(rng, repo)
        repos.append(repo)
    if rng.random() < 0.1:
        return CleanupRound(seed, repos, [])
    faults = [fault(rng) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    changes = [change(rng, rng.choice(repos)) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    return CleanupRound(seed, repos, faults, [one for one in changes if one])


def fault(rng) -> dict:
    kind = rng.choice([
        {"do": "status", "status": rng.choice([403, 404, 429, 500, 503, 504])}, {"do": "cut", "entries": rng.randrange(3)}, {"do": "reset"},
        {"do": "truncate", "after": rng.randrange(200)}, {"do": "lose_answer"}, {"do": "html"}, {"do": "lose_next"}, {"do": "work_later", "ms": rng.randrange(300)},
        {"do": "delay", "ms": rng.randrange(300)},
    ])
    return {"route": rng.choice(FAULTY), "kind": kind, "count": rng.choice([1, 1, 2, 5]), "skip": rng.randrange(200)}


def change(rng, repo: Repo) -> dict | None:
    """What somebody does to a repo right before one of the requests about it is answered."""
    what = rng.choice(CHANGES)
    if not repo.copies and "copy" in what or what == "file gone" and not repo.copies:
        return None
    hub = "hf" if "source" in what else "ms"
    branch = rng.choice(sorted(repo.copies if hub == "ms" else repo.branches))
    revision = branch if hub == "hf" else BRANCHES[branch]
    seed = {"hub": hub, "kind": repo.kind, "id": repo.id, "revision": revision, "message": what}
    query = f"/repo?hub={hub}&kind={repo.kind}&id={repo.id}"
    act = {
        "copy changed": ("POST", "/seed", seed | {"files": [{"path": rng.choice(sorted(repo.copies.get(branch, {"x": b""}))), "text": "of someone else"}]}),
        "file gone": ("POST", "/seed", seed | {"delete": [rng.choice(sorted(repo.copies.get(branch, {"x": b""})))]}),
        "copy gone": ("DELETE", query, None),
        "copy hidden": ("POST", "/repo", {"hub": hub, "kind": repo.kind, "id": repo.id, "private": True}),
        "branch of the copy": ("POST", "/seed", seed | {"revision": "more", "files": [{"path": "more.txt", "text": "more"}]}),
        "source changed": ("POST", "/seed", seed | {"files": [{"path": "new.txt", "text": "new"}]}),
        "branch of the source": ("POST", "/seed", seed | {"revision": "more", "files": [{"path": "more.txt", "text": "more"}]}),
        "tag of the source": ("POST", "/seed", seed | {"tags": ["more"], "files": [{"path": "new.txt", "text": "new"}]}),
        "source gone": ("DELETE", query, None),
    }[what]
    method, path, body = act
    kind = {"do": "meanwhile", "method": method, "path": path, "body": body}
    # Requests about the copy and about the source; the more of them pass, the later in the cleanup it happens.
    return {"route": rng.choice(["ms.*", "ms.*", "hf.*"]), "path": repo.id, "kind": kind, "count": 1, "skip": rng.randrange(24)}


class CleanupAttempt:
    """A round under way, on a sandbox of its own."""

    def __init__(self, sandbox, round: CleanupRound, folder: Path, program: str, worker: str):
        self.sandbox, self.round, self.folder = sandbox, round, folder
        self.program, self.worker = program, worker
        self.problems: list[tuple[str, str]] = []

    def seed(self):
        for repo in self.round.repos:
            for hub, branches in (("hf", repo.branches), ("ms", repo.copies)):
                for name, of in branches.items():
                    tags = ["v1"] if repo.tagged and name == "main" else []
                    revision = name if hub == "hf" else BRANCHES[name]
                    self.sandbox.post("/seed", hub=hub, kind=repo.kind, id=repo.id, revision=revision, files=content.seeded(of), tags=tags)

    def whole(self) -> list[Repo]:
        return [repo for repo in self.round.repos if repo.lack is None]

    def run(self) -> tuple[int, str]:
        sandbox, folder = self.sandbox, self.folder
        listed = folder / "repos.txt"
        listed.write_text("".join(f"hf:{repo.id}\n" for repo in self.round.repos))
        env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "HF2MS_STATE": str(folder / "state"), "HF2MS_WORKER": self.worker}
        env |= {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
        env |= {"HF2MS_RETRY_BASE": "0.01", "HF2MS_STALL": "2", "HF2MS_LONGEST_WAIT": "2"}
        command = [self.program, "cleanup", "--file", str(listed), "--to", "ms", "--delete", "--history-may-go"]
        command += ["--yes-delete", str(len(self.whole())), "--max-delete", "1000", "--json"]
        with (folder / "out.ndjson").open("wb") as out, (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
            try:
                code = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.problems.append(("unfinished", f"it took more than {LONGEST} s"))
                code = -9
        return code, (folder / "log.txt").read_text(errors="replace")

    def carry_out(self) -> CleanupResult:
        began = time.monotonic()
        self.folder.mkdir(parents=True)
        self.seed()
        self.sandbox.post("/counters/reset")
        for rule in self.round.faults + self.round.changes:
            self.sandbox.post("/faults", **rule)
        code, log = self.run()
        fired = self.sandbox.ask("GET", "/faults")
        if code not in (0, 1, 2, 3, 4):
            self.problems.append(("unfinished", f"exit code {code}: {log[-300:]}"))
        acts = [(one["at_us"], one["rule"]) for one in fired if one["fired"] and one["rule"]["kind"]["do"] == "meanwhile"]
        thrown = Counter({one["rule"]["kind"]["do"]: one["fired"] for one in fired if one["rule"]["kind"]["do"] != "meanwhile"})
        deleted, unseen = self.judge(acts)
        if not any(one["fired"] for one in fired) and len(deleted) != len(self.whole()):
            self.problems.append(("kept without a reason", f"{len(deleted)} of {len(self.whole())} went: {log[-300:]}"))
        seconds = time.monotonic() - began
        changed = Counter(rule["kind"]["body"].get("message", rule["kind"]["path"].split("?")[0]) if rule["kind"]["body"] else "gone" for _, rule in acts)
        return CleanupResult(self.round.seed, self.problems, code, len(deleted), len(self.whole()), +thrown, changed, unseen, seconds)

    def judge(self, acts: list[tuple[int, dict]]) -> tuple[dict[str, int], int]:
        """Holds each deletion against what both sides held at that moment. Which sources the program deleted, and how many changes no look
        could have seen."""
        by_others = {(rule["kind"]["path"], at) for at, rule in acts if rule["kind"]["method"] == "DELETE"}
        gone = {}
        for hub in ("hf", "ms"):
            for one in self.sandbox.ask("GET", "/deletions", hub=hub):
                path = f"/repo?hub={hub}&kind={one['kind']}&id={one['id']}"
                # The deletion follows the moment in which the rule fired.
                if any(act == path and 0 <= one["at_us"] - at < 1_000_000 for act, at in by_others):
                    continue
                if hub == "ms" or one["id"] not in {repo.id for repo in self.round.repos}:
                    self.problems.append(("not asked for", f"{hub}:{one['id']} was deleted"))
                gone[one["id"]] = one["at_us"]
        log = self.sandbox.ask("GET", "/requests")
        unseen = sum(self.judge_one(repo, gone[repo.id], acts, log) for repo in self.round.repos if repo.id in gone)
        return gone, unseen

    def judge_one(self, repo: Repo, at: int, acts: list[tuple[int, dict]], log: list[dict]) -> int:
        """Judges one deletion; the number of changes that came before it and that no request could show."""
        if repo.lack:
            self.problems.append(("copy not whole", f"{repo.id} was deleted, and its copy was not whole from the beginning: {repo.lack}"))
        mine = [(when, rule) for when, rule in acts if rule["path"] == repo.id and when < at]
        unseen = 0
        for when, rule in mine:
            body = rule["kind"]["body"] or {}
            if rule["kind"]["path"] == "/repo":
                # Who sees a copy says nothing about what it holds.
                continue
            hub = body.get("hub") or ("hf" if "hub=hf" in rule["kind"]["path"] else "ms")
            if body.get("message") == "branch of the copy":
                continue
            if seen_after(log, hub, repo.id, body.get("revision"), when, at):
                self.problems.append(("copy not whole", f"{repo.id} was deleted {(at - when) / 1000:.1f} ms after a change: {json.dumps(rule['kind'])}"))
            else:
                unseen += 1
        return unseen


def seen_after(log: list[dict], hub: str, id: str, revision: str | None, when: int, until: int) -> bool:
    """Whether a request came after a change, and before the deletion, whose answer shows it: refs, or the branch itself."""
    shows = [".git/info/refs", "/refs", "/revisions"] + ([f"Ref={revision}", f"Revision={revision}", f"/revision/{revision}"] if revision else [])
    asked = (one for one in log if one["origin"] == hub and id in one["path"] and when - 2000 <= one["at_ms"] * 1000 <= until)
    return any(any(part in one["path"] for part in shows) or revision is None for one in asked)


def one_round(site_sandbox, seed: int, count: int, folder: Path, program: str, worker: str) -> CleanupResult:
    """A round on this sandbox. Its folder goes if it is good."""
    attempt = CleanupAttempt(site_sandbox, drawn(seed, count), folder, program, worker)
    result = attempt.carry_out()
    if not result.problems:
        shutil.rmtree(folder)
    return result


@dataclass
class CleanupTally:
    """The sums of a campaign."""

    rounds: list[CleanupResult] = field(default_factory=list)

    def text(self, count: int) -> str:
        """One paragraph of figures, and the table of what has to be 0."""
        seeds = sorted(one.seed for one in self.rounds)
        sums = {name: sum(getattr(one, name) for one in self.rounds) for name in ("deleted", "whole", "unseen")}
        thrown, changed = (sum((getattr(one, name) for one in self.rounds), Counter()) for name in ("thrown", "changed"))
        problems = Counter(kind for one in self.rounds for kind, _ in one.problems)
        codes = Counter(one.code for one in self.rounds)
        lines = [
            f"{len(seeds)} rounds of {count} repos (seeds {seeds[0]} to {seeds[-1]}): {sums['deleted']} of {sums['whole']} sources with a whole copy were deleted. "
            f"{thrown.total()} faults struck, and {changed.total()} times someone changed a source or a copy in the middle; {sums['unseen']} of these changes came after the last look.",
            "",
            "| has to be 0 | what it counts | count |",
            "| --- | --- | --- |",
            *(f"| {kind} | {what} | {problems[kind]} |" for kind, what in KINDS.items()),
            "",
            "Exit codes: " + ", ".join(f"{code} ({times} rounds)" for code, times in sorted(codes.items())) + ".",
        ]
        return "\n".join(lines) + "\n"


