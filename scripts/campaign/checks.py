"""What must hold after each run, found out without hf2ms: bytes, files, deletions, strangers' writes, who sees it, and canaries."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from campaign.content import sha256
from campaign.draw import DELETED_AT_MOST

# Those that have to be zero, and what each counts.
KINDS = {
    "wrong bytes": "a file that gives bytes which nobody put there",
    "lost files": "a file that is absent, unreadable or old although success was said, or a pointer to nothing",
    "deletions": "a file or ref that went without being asked for",
    "canary tokens": "a token in output, logs, state, temporary files, command lines, addresses, or a request to another origin",
    "overwritten": "a stranger's change that was written over and not named",
    "shown": "private files in a repo that is not private",
    "half shown": "a new repo that looks finished over missing files, though nothing but a kill went wrong",
    "left behind": "a process that outlives its run, or a temporary file after a clean end",
    "unfinished": "a run that hangs, crashes, or does not get to its end without faults",
}
# Events, and states of refs, that tell of no trouble.
ORDINARY_EVENTS = {"file", "planned", "started", "progress", "scanned", "pushed"}
ORDINARY_STATES = {"pushed", "unchanged", "deleted"}
# What hubs put into a new repo by themselves.
PLATFORM_FILES = {".gitattributes", "README.md", "configuration.json", "dataset_infos.json", ".gitignore"}


@dataclass(frozen=True)
class Problem:
    """Something that may not be."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass
class Stranger:
    """What someone else wrote to the destination."""

    path: str
    sha256: str
    # The run during which it was written.
    run: int
    # Whether the plan of that run had been made before.
    after_the_plan: bool
    # Whether nobody committed after them.
    last: bool


def whole(found: dict, versions: list[dict[str, str]], excused: set[str]) -> list[Problem]:
    """What is missing or old at a destination that is said to be done; it has to be one of the source's versions as a whole."""
    candidates = []
    for version in versions:
        lost = [path for path, digest in version.items() if found.get(path) != digest and path not in excused]
        if not lost:
            return []
        candidates.append(lost)
    fewest = min(candidates, key=len)
    return [Problem("lost files", f"{path} is not as the source has it, though success was said") for path in fewest]


def bytes_are_known(found: dict, allowed: dict[str, set[str]]) -> Iterator[Problem]:
    """Each file gives what the source, an earlier state or someone else put there."""
    for path, digest in found.items():
        if digest is None:
            yield Problem("lost files", f"{path} is listed and gives nothing")
        elif digest not in allowed.get(path, set()) and "any" not in allowed.get(path, set()):
            yield Problem("wrong bytes", f"{path} has {digest[:12]}, which nobody put there")


def deletions(found: dict, previous: dict, sources: set[str], strangers: list[Stranger], run: int, prunes: bool, no_limit: bool) -> Iterator[Problem]:
    """Nothing goes that was not asked for; `previous` is what the destination held before this run."""
    gone = [path for path in previous if path not in found]
    for path in gone:
        if not prunes or path in sources:
            yield Problem("deletions", f"{path} is gone" + (", though the source has it" if path in sources else ""))
    if prunes and not no_limit and len(gone) > DELETED_AT_MOST * len(previous):
        yield Problem("deletions", f"{len(gone)} of {len(previous)} files are gone, more than half")
    for stranger in strangers:
        # Before the plan it may have been seen, and then it is pruned as any other.
        unplanned = not prunes or stranger.after_the_plan
        if stranger.run == run and unplanned and stranger.path not in found and stranger.path not in gone:
            yield Problem("deletions", f"{stranger.path}, which someone else wrote during this run, is gone")


def troubles(output: str) -> str:
    """What a run says of things that went another way than planned: not the events and lists that name every file or ref."""
    told = []
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            told.append(line)
            continue
        if event.get("event") in ORDINARY_EVENTS:
            continue
        event["refs"] = [ref for ref in event.get("refs") or [] if ref.get("state") not in ORDINARY_STATES]
        told.append(json.dumps({key: value for key, value in event.items() if key != "files"}, ensure_ascii=False))
    return "\n".join(told)


def overwritten(found: dict, strangers: list[Stranger], run: int, output: str) -> Iterator[Problem]:
    """What someone wrote after the plan was made is there, or named."""
    told = troubles(output)
    for stranger in strangers:
        if stranger.run != run or not stranger.after_the_plan or stranger.path not in found:
            continue
        if found[stranger.path] != stranger.sha256 and stranger.path not in told:
            yield Problem("overwritten", f"{stranger.path} held what someone else wrote")


def half_shown(found: dict, version: dict[str, str]) -> Iterator[Problem]:
    """What makes a repo look finished is there only when all the rest is."""
    last = {path for path in version if path in ("README.md", "config.json") or path.endswith(".index.json")}
    shown = [path for path in last if found.get(path) == version[path]]
    missing = [path for path in version.keys() - last if found.get(path) != version[path]]
    if shown and missing:
        yield Problem("half shown", f"{shown[0]} is there, {missing[0]} is not")


def canary_forms(token: str) -> set[str]:
    """A token as it stands, and as it looks inside base64."""
    forms = {token}
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + token.encode()).decode().rstrip("=")
        forms.add(encoded[-(-offset * 4 // 3) : -2])
    return forms


def leaked(tokens: Iterable[str], where: str, text: str) -> Iterator[Problem]:
    for token in tokens:
        if any(form in text for form in canary_forms(token)):
            yield Problem("canary tokens", f"{token[:6]}.. is in {where}")


def leaked_on_disk(tokens: Iterable[str], folder: Path) -> Iterator[Problem]:
    """Every file below a folder, and every name."""
    for path in folder.rglob("*"):
        yield from leaked(tokens, f"the name {path.name}", path.name)
        if path.is_file():
            yield from leaked(tokens, str(path), path.read_bytes().decode(errors="replace"))


def leaked_in_requests(requests: list[dict], owners: dict[str, str]) -> Iterator[Problem]:
    """`owners` has the one origin, by token, whose headers may hold it; an empty one is none. No address may."""
    for request in requests:
        said = " ".join(f"{name}: {value}" for name, value in request["headers"].items())
        for token, origin in owners.items():
            where = f"a request to {request['origin']} ({request['method']} {request['path'][:60]})"
            yield from leaked([token], f"the address of {where}", request["path"])
            if request["origin"] != origin:
                yield from leaked([token], where, said)


def of_process(ran, name: str) -> Iterator[Problem]:
    """How a run ended, and what it left."""
    if ran.hung:
        yield Problem("unfinished", f"{name} did not end")
    if ran.code in (101, -6, -11) or "panicked at" in ran.output:
        yield Problem("unfinished", f"{name} crashed with {ran.code}")
    if ran.code == 2:
        yield Problem("unfinished", f"{name} was refused as a wrong use")
    for line in ran.left:
        yield Problem("left behind", f"a process outlives {name}: {line[:120]}")


def stranger_files(rules: list[dict]) -> list[tuple[str, str, bool]]:
    """What the rules of a round have someone commit: path, digest, and whether that is after the plan."""
    found = []
    for rule in rules:
        if rule["kind"]["do"] == "moved":
            found += [(file["path"], sha256(file["text"].encode()), bool(rule.get("after_the_plan"))) for file in rule["kind"]["files"]]
    return found
