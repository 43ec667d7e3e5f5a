"""Rounds of `hf2ms cleanup`: sources with copies, some of them not whole, faults, and what others change between two requests."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
import urllib.parse
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
    # Faults and changes, as `POST /faults` takes them.
    rules: list[dict]


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


@dataclass
class Act:
    """What somebody has changed, and when."""

    at: int
    what: str
    hub: str
    id: str
    # The branch; None where the whole repo went.
    revision: str | None

    @classmethod
    def of(cls, fired: dict) -> Act:
        kind = fired["rule"]["kind"]
        if kind["method"] == "DELETE":
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(kind["path"]).query))
            return cls(fired["at_us"], "copy gone" if query["hub"] == "ms" else "source gone", query["hub"], query["id"], None)
        body = kind["body"]
        return cls(fired["at_us"], body.get("message", "copy hidden"), body["hub"], body["id"], body.get("revision"))


def is_act(rule: dict) -> bool:
    """Whether a rule changes a repo, and not only lets another rule begin."""
    return rule["kind"]["do"] == "meanwhile" and rule["kind"]["path"] != "/faults"


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
    rules = []
    if rng.random() >= 0.1:
        rules += [fault(rng, count) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        rules += filter(None, (change(rng, repos) for _ in range(rng.choice([0, 1, 1, 2, 3]))))
    return CleanupRound(seed, repos, rules)


def later(rng, deletions: int, rule: dict) -> dict:
    """A rule that begins to hold when so many sources were deleted: until then nothing disturbs the verification."""
    return {"route": "hf.delete", "count": 1, "skip": deletions, "kind": {"do": "meanwhile", "method": "POST", "path": "/faults", "body": rule}}


def fault(rng, count: int) -> dict:
    kind = rng.choice([
        {"do": "status", "status": rng.choice([403, 404, 429, 500, 503, 504])}, {"do": "cut", "entries": rng.randrange(3)}, {"do": "reset"},
        {"do": "truncate", "after": rng.randrange(200)}, {"do": "lose_answer"}, {"do": "html"}, {"do": "lose_next"}, {"do": "work_later", "ms": rng.randrange(300)},
        {"do": "delay", "ms": rng.randrange(300)},
    ])
    route = rng.choice(FAULTY)
    rule = {"route": route, "kind": kind, "count": rng.choice([1, 1, 2, 5])}
    if rng.random() < 0.7:
        return later(rng, rng.randrange(count), rule | {"skip": rng.randrange(6)})
    return rule | {"skip": rng.randrange(count * (20 if route.endswith("*") else 1))}


def change(rng, repos: list[Repo]) -> dict | None:
    """What somebody does to a repo right before a request is answered: one about it, or the deletion of another source."""
    first = rng.randrange(len(repos))
    repo = rng.choice(repos[first:])
    if (kind := act(rng, repo)) is None:
        return None
    if rng.random() < 0.25:
        return {"route": "hf.delete", "kind": kind, "count": 1, "skip": first}
    rule = {"route": rng.choice(["ms.*", "ms.*", "hf.*"]), "path": repo.id, "kind": kind, "count": 1}
    if rng.random() < 0.6:
        return later(rng, first, rule | {"skip": rng.randrange(7)})
    return rule | {"skip": rng.randrange(24)}


def act(rng, repo: Repo) -> dict | None:
    """A change as a fault; None where there is nothing to change."""
    what = rng.choice(CHANGES)
    if not repo.copies and ("copy" in what or what == "file gone"):
        return None
    hub = "hf" if "source" in what else "ms"
    branch = rng.choice(sorted(repo.copies if hub == "ms" else repo.branches))
    revision = branch if hub == "hf" else BRANCHES[branch]
    seed = {"hub": hub, "kind": repo.kind, "id": repo.id, "revision": revision, "message": what}
    more = {"revision": "more", "files": [{"path": "more.txt", "text": "more"}]}
    repo_of = f"/repo?hub={hub}&kind={repo.kind}&id={repo.id}"
    path = rng.choice(sorted(repo.copies.get(branch, {"x": b""})))
    method, url, body = {
        "copy changed": ("POST", "/seed", seed | {"files": [{"path": path, "text": "of someone else"}]}),
        "file gone": ("POST", "/seed", seed | {"delete": [path]}),
        "copy gone": ("DELETE", repo_of, None),
        "copy hidden": ("POST", "/repo", {"hub": hub, "kind": repo.kind, "id": repo.id, "private": True}),
        "branch of the copy": ("POST", "/seed", seed | more),
        "source changed": ("POST", "/seed", seed | {"files": [{"path": "new.txt", "text": "new"}]}),
        "branch of the source": ("POST", "/seed", seed | more),
        "tag of the source": ("POST", "/seed", seed | {"tags": ["more"], "files": [{"path": "new.txt", "text": "new"}]}),
        "source gone": ("DELETE", repo_of, None),
    }[what]
    return {"do": "meanwhile", "method": method, "path": url, "body": body}


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
        for rule in self.round.rules:
            self.sandbox.post("/faults", **rule)
        code, log = self.run()
        fired = self.sandbox.ask("GET", "/faults")
        if code not in (0, 1, 2, 3, 4):
            self.problems.append(("unfinished", f"exit code {code}: {log[-300:]}"))
        acts = [Act.of(one) for one in fired if one["fired"] and is_act(one["rule"])]
        thrown = Counter()
        for one in fired:
            if one["rule"]["kind"]["do"] != "meanwhile":
                thrown[one["rule"]["kind"]["do"]] += one["fired"]
        deleted, unseen = self.judge(acts)
        if not acts and not +thrown and len(deleted) != len(self.whole()):
            self.problems.append(("kept without a reason", f"{len(deleted)} of {len(self.whole())} went: {log[-300:]}"))
        seconds = time.monotonic() - began
        changed = Counter(act.what for act in acts)
        return CleanupResult(self.round.seed, self.problems, code, len(deleted), len(self.whole()), +thrown, changed, unseen, seconds)

    def judge(self, acts: list[Act]) -> tuple[dict[str, int], int]:
        """Holds each deletion against what both sides held at that moment. Which sources the program deleted, and how many changes no look
        could have seen."""
        ours = {repo.id for repo in self.round.repos}
        gone = {}
        for hub in ("hf", "ms"):
            for one in self.sandbox.ask("GET", "/deletions", hub=hub):
                # The rule notes the moment right after its deletion.
                if any(act.what.endswith("gone") and (act.hub, act.id) == (hub, one["id"]) and abs(one["at_us"] - act.at) < 1_000_000 for act in acts):
                    continue
                if hub == "ms" or one["id"] not in ours:
                    self.problems.append(("not asked for", f"{hub}:{one['id']} was deleted"))
                gone[one["id"]] = one["at_us"]
        log = self.sandbox.ask("GET", "/requests")
        unseen = sum(self.judge_one(repo, gone[repo.id], acts, log) for repo in self.round.repos if repo.id in gone)
        return gone, unseen

    def judge_one(self, repo: Repo, at: int, acts: list[Act], log: list[dict]) -> int:
        """Judges one deletion; the number of changes that came before it and that no request could show."""
        if repo.lack:
            self.problems.append(("copy not whole", f"{repo.id} was deleted, and its copy was not whole from the beginning: {repo.lack}"))
        unseen = 0
        for act in acts:
            # Who sees a copy, and what else it has, says nothing about what it lacks.
            if act.id != repo.id or act.at > at or act.what in ("copy hidden", "branch of the copy"):
                continue
            if seen_after(log, act, at):
                self.problems.append(("copy not whole", f"{repo.id} was deleted {(at - act.at) / 1000:.1f} ms after a change: {act}"))
            else:
                unseen += 1
        return unseen


def seen_after(log: list[dict], act: Act, until: int) -> bool:
    """Whether a request was handled after a change, and answered before the deletion, whose answer shows it: refs, or the branch itself. One
    that the hub was at work on while the change was made tells what stood before."""
    shows = [".git/info/refs", "/refs", "/revisions"] + ([f"Ref={act.revision}", f"Revision={act.revision}", f"/revision/{act.revision}"] if act.revision else [])
    about = re.compile(rf"/{re.escape(act.id)}(?![\w-])")
    asked = (one for one in log if one["origin"] == act.hub and about.search(one["path"]) and act.at < one.get("handled_us", 0) and one["answered_us"] <= until)
    return any(act.revision is None or any(part in one["path"] for part in shows) for one in asked)


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


