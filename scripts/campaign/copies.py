"""Rounds that copy repos from hub to hub: seeds them, says the command, and looks at every destination after each run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from campaign import checks, hubs
from campaign.checks import Problem, Stranger
from campaign.content import digests, seeded, sha256
from campaign.draw import Copy, Round

SOMEONE = "someone else's"
# Messages of the commits that a source has: none of hf2ms.
NOT_OURS = {"seeded", "initial commit", SOMEONE}
PREFIX = {"hf": "hf:", "ms": "ms:"}


class RepoCheck:
    """One copy of a round, watched over its runs."""

    def __init__(self, sandbox, round: Round, copy: Copy):
        self.sandbox, self.round, self.copy = sandbox, round, copy
        # The states that the default branch of the source was in, the newest last.
        self.versions = [digests(copy.files)]
        self.strangers: list[Stranger] = []
        # What the destination held after the last run.
        self.previous = digests(copy.before or {})
        # How many commits of the source and of the destination were looked at.
        self.noticed = [0, 0]
        self.private = copy.private or copy.gated or "--private" in round.options

    def seed(self):
        round, copy = self.round, self.copy
        source = dict(hub=round.source_hub, kind=round.kind, id=copy.source)
        tags = {} if not copy.tags else {"tags": copy.tags}
        self.sandbox.post("/seed", **source, private=copy.private, files=[*seeded(copy.files), *copy.spoiled], **tags)
        if copy.gated:
            self.sandbox.post("/repo", **source, gated=True, granted=["alice"])
        for name, files in copy.branches.items():
            self.sandbox.post("/seed", **source, revision=name, files=seeded(files))
        if copy.before is not None:
            destination = dict(hub=round.destination_hub, kind=round.kind, id=copy.destination)
            self.sandbox.post("/seed", **destination, private=self.private, files=seeded(copy.before))

    def contents(self, revision: str | None = None) -> dict | None:
        return hubs.contents(self.sandbox, self.round.destination_hub, self.round.kind, self.copy.destination, revision)

    def notice_strangers(self, rules: list[dict], run: int) -> int:
        """Takes in what someone else committed to either side. Returns how many of the source's versions were old when the run began."""
        began = len(self.versions) - 1
        candidates = checks.stranger_files(rules)
        sources = self.commits(self.round.source_hub, self.copy.source)
        for commit in sources[self.noticed[0] :]:
            if commit["message"] == SOMEONE:
                self.versions.append(self.versions[-1] | self.written(self.round.source_hub, self.copy.source, commit, candidates))
        commits = self.commits(self.round.destination_hub, self.copy.destination)
        for number, commit in enumerate(commits[self.noticed[1] :], self.noticed[1]):
            if commit["message"] != SOMEONE:
                continue
            for path, digest in self.written(self.round.destination_hub, self.copy.destination, commit, candidates).items():
                after = any(late for known, content, late in candidates if (known, content) == (path, digest))
                self.strangers.append(Stranger(path, digest, run, after, number == len(commits) - 1))
        self.noticed = [len(sources), len(commits)]
        return began

    def commits(self, hub: str, id: str) -> list[dict]:
        repo = hubs.described(self.sandbox, hub, self.round.kind, id)
        return repo["commits"] if repo else []

    def written(self, hub: str, id: str, commit: dict, candidates) -> dict[str, str]:
        at = hubs.described(self.sandbox, hub, self.round.kind, id, commit["id"])
        listed = {file["path"]: file["listed"]["sha256"] for file in at["files"]}
        return {path: digest for path, digest, _ in candidates if listed.get(path) == digest}

    def allowed(self) -> dict[str, set[str]]:
        """What each path may give, by whoever put it there."""
        known = defaultdict(set)
        for state in [*self.versions, *map(digests, self.copy.branches.values()), digests(self.copy.before or {})]:
            for path, digest in state.items():
                known[path].add(digest)
        for entry in self.copy.spoiled:
            # A link may be copied as the text that it is.
            if entry.get("mode") == "symlink":
                known[entry["path"]].add(sha256(entry["text"].encode()))
        for stranger in self.strangers:
            known[stranger.path].add(stranger.sha256)
        if self.copy.before is None:
            for path in checks.PLATFORM_FILES:
                known[path].add("any")
        return known

    def problems(self, ran, rules: list[dict], run: int, done: bool, calm: bool) -> list[Problem]:
        """What may not be, after the run of this number: `done` if it has to have got to its end, `calm` if no fault struck it."""
        began = self.notice_strangers(rules, run)
        found = self.contents()
        problems = list(self.of_source())
        if found is None:
            if done:
                problems.append(Problem("lost files", "there is no destination, though success was said"))
            return self.named(problems)
        problems += checks.bytes_are_known(found, self.allowed())
        sources = {path for version in self.versions for path in version} | {entry["path"] for entry in self.copy.spoiled}
        # While an entry can't be copied nothing is deleted; a success says that all were.
        limits = (self.round.prunes and (not self.copy.spoiled or ran.code == 0), "--max-delete" in self.round.options)
        problems += checks.deletions(found, self.previous, sources, self.strangers, run, *limits)
        problems += checks.overwritten(found, self.strangers, run, ran.output)
        problems += self.visibility(found)
        if done:
            excused = {stranger.path for stranger in self.strangers if stranger.run == run and stranger.last}
            problems += checks.whole(found, self.versions[began:], excused)
        if calm and self.copy.before is None and not self.copy.spoiled and not self.strangers:
            problems += checks.half_shown(found, self.versions[-1])
        problems += self.of_revisions(done)
        self.previous = found
        return self.named(problems)

    def named(self, problems: list[Problem]) -> list[Problem]:
        return [Problem(problem.kind, f"{self.copy.destination}: {problem.text}") for problem in problems]

    def of_source(self) -> Iterator[Problem]:
        """The source is only read."""
        for commit in self.commits(self.round.source_hub, self.copy.source):
            if commit["message"] not in NOT_OURS:
                yield Problem("wrong bytes", f"the source was written: {commit['message']}")

    def visibility(self, found: dict) -> Iterator[Problem]:
        repo = hubs.described(self.sandbox, self.round.destination_hub, self.round.kind, self.copy.destination)
        ours = [path for path, digest in found.items() if any(version.get(path) == digest for version in self.versions)]
        if self.private and repo["visibility"] != "private" and ours:
            yield Problem("shown", f"{ours[0]} is in a repo that is {repo['visibility']}")

    def of_revisions(self, success: bool) -> Iterator[Problem]:
        """A branch or tag has its name when it is whole, and all have theirs at a success."""
        if self.round.verb != "revisions":
            return
        repo = hubs.described(self.sandbox, self.round.destination_hub, self.round.kind, self.copy.destination)
        wanted = {("branches", name): [digests(files)] for name, files in self.copy.branches.items()}
        wanted |= {("tags", name): [self.versions[0]] for name in self.copy.tags}
        for (kind, name), versions in wanted.items():
            if name in repo[kind]:
                yield from checks.whole(self.contents(name), versions, set())
            elif success:
                yield Problem("lost files", f"{name} of the {kind} is absent, though success was said")


def command(round: Round, programs: dict, engine: list[str], folder) -> list[str]:
    """The command of this round."""
    first = round.copies[0]
    source = f"{PREFIX[round.source_hub]}{first.source}"
    if round.verb == "worker":
        return [programs["worker"], "migrate", source, f"{PREFIX[round.destination_hub]}{first.destination}", "--repo-type", round.kind, *round.options]
    route = ["--to", round.destination_hub, "--repo-type", round.kind, *round.options, *engine, "--json"]
    if round.verb == "batch":
        listed = folder / "repos.txt"
        listed.write_text("".join(f"{PREFIX[round.source_hub]}{copy.source} {copy.destination}\n" for copy in round.copies))
        return [programs["hf2ms"], "batch", "--file", str(listed), *route]
    more = ["--all-revisions"] if round.verb == "revisions" else []
    return [programs["hf2ms"], "migrate", source, "--dest", first.destination, *route, *more]
