"""One round, drawn from its seed: what is copied how, what goes wrong, who is killed, and who else writes meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from campaign import content, faults

VERBS = {"migrate": 42, "batch": 12, "revisions": 12, "worker": 14, "mirror": 20}
# Small limits, so that small repos meet pages and parts; and the other forms of what real hubs were recorded to do.
LIMITS = {"hf_multipart_above": 60_000, "hf_part_size": 50_000, "hf_page": 7}
FORMS = {
    "ms_commit_gap_ms": 15, "ms_checks_blobs": True, "ms_uploads_at_hub": False, "ms_commit_id": True, "ms_commits": "all", "ms_revision_404": True,
    "ms_sha256": False, "ms_range_206": True, "ms_file_404": True, "hf_resolve_cache": False, "ms_lock_busy": False, "ms_check_by_size": False,
    "hf_rate_limit_headers": False, "latency_ms": 15, "ms_redirect_above": 1000, "ms_denial_is_404": False,
}
# Entries that no hub can hold, or that their own hub lost: each costs only itself.
SPOILED = [
    {"path": "lost.safetensors", "size": 5000, "seed": 9, "missing": True},
    {"path": "lost.txt", "text": "lost", "missing": True},
    {"path": "../outside.txt", "text": "outside"},
    {"path": "link", "text": "README.md", "mode": "symlink"},
]
# The largest part of a destination's files that may go by itself.
DELETED_AT_MOST = 0.5


@dataclass
class Kill:
    """Who gets which signal, after how many requests of the run; `stop` is hf2ms's own way to end it."""

    whom: str
    signal: str
    after: int


@dataclass
class Copy:
    """A repo and its copy."""

    source: str
    destination: str
    files: dict[str, bytes]
    # What the destination holds before; None if it does not exist.
    before: dict[str, bytes] | None
    private: bool
    # Whether the source asks its readers for more than a login.
    gated: bool = False
    # Entries of the source that can't be copied, as the sandbox is seeded with them.
    spoiled: list[dict] = field(default_factory=list)
    # More branches and tags of the source: each has its own files.
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass
class Round:
    """All that a seed decides."""

    seed: int
    verb: str
    engine: str
    kind: str
    source_hub: str
    destination_hub: str
    options: list[str]
    copies: list[Copy]
    settings: dict
    faults: list[dict]
    kill: Kill | None
    stranger: dict | None
    # Of a mirror: what the target holds before.
    target: str = "empty"

    @property
    def prunes(self) -> bool:
        return "--prune" in self.options

    @property
    def hidden(self) -> bool:
        """Whether the first copy has to be private."""
        return self.copies[0].private or self.copies[0].gated or "--private" in self.options

    @property
    def ends_refused(self) -> bool:
        """Whether a refusal is the right end: nothing is written."""
        if self.verb == "mirror":
            return self.target == "unrelated"
        shown = self.settings.get("ignores_visibility") and self.copies[0].before is None
        return bool(shown and self.hidden)

    @property
    def direction(self) -> str:
        return f"{self.source_hub} to {'git' if self.verb == 'mirror' else self.destination_hub}"

    @property
    def hubs(self) -> list[str]:
        return sorted({self.source_hub, self.destination_hub})


def stranger(rng, destination: str, copy: Copy) -> dict:
    """A commit of someone else to the destination, when the plan has been made: a new file, or another content of one of the copy's."""
    route = rng.choice(faults.AFTER_THE_PLAN[destination])
    # ModelScope's commits name no parent: what comes between the last look and the commit can't be seen.
    own = "theirs.txt" if route == "ms.commit" else rng.choice(sorted(copy.files))
    path = rng.choice(["theirs.txt", own, own])
    return {
        "route": route,
        "kind": {"do": "moved", "files": [{"path": path, "text": "a stranger's own words\n"}]},
        "count": 1,
        "skip": 0,
    }


def kill(rng, verb: str) -> Kill | None:
    if rng.random() < 0.3:
        return None
    # A worker alone is no run of hf2ms, which could be stopped.
    whom = rng.choice(["controller", "controller", "worker", "worker" if verb == "worker" else "stop"])
    signal = rng.choice({"controller": ["KILL", "KILL", "TERM", "INT", "HUP"], "worker": ["KILL", "KILL", "TERM", "INT"], "stop": [""]}[whom])
    return Kill(whom, signal, rng.choice([rng.randrange(1, 8), rng.randrange(4, 20), rng.randrange(10, 50)]))


def options(rng, verb: str, hubs: set[str], settings: dict, exists: bool) -> list[str]:
    """Options of `migrate`, `batch` or the worker."""
    drawn = ["--private"] if rng.random() < 0.25 and not exists else []
    if "hf" in hubs and rng.random() < 0.2:
        drawn += ["--transport", "xet"]
        settings["hf_xet"] = True
    if verb == "worker":
        return drawn
    if "xet" not in drawn and rng.random() < 0.2:
        drawn.append("--use-git")
    if rng.random() < 0.4:
        drawn += ["--containers", str(rng.randrange(1, 4)), "--parallel"]
    if exists and verb == "batch":
        drawn.append("--force")
    if exists and verb in ("migrate", "revisions") and rng.random() < 0.6:
        drawn += ["--prune", "--yes"]
        drawn += ["--max-delete", "100%"] if rng.random() < 0.3 else []
    return drawn


def copy(rng, seed: int, number: int, verb: str, same_hub: bool) -> Copy:
    """A repo, and what its destination holds already."""
    files = content.drawn(rng)
    before = None
    if rng.random() < 0.5:
        before = content.changed(rng, files) if rng.random() < 0.7 else {}
        extra = {f"{rng.choice(['extra', 'old/extra'])}-{n}.txt": f"extra {n} of {seed}\n".encode() for n in range(rng.randrange(1, 9))}
        before |= extra
    branches = {}
    if verb in ("revisions", "mirror"):
        branches = {name: content.changed(rng, files) for name in rng.sample(["dev", "release/1.0", "unïcode"], rng.randrange(3))}
    tags = rng.sample(["v1", "v1.0-rc"], rng.randrange(3)) if verb in ("revisions", "mirror") else []
    private, gated = rng.random() < 0.25, verb != "mirror" and rng.random() < 0.1
    spoiled = [rng.choice(SPOILED)] if verb in ("migrate", "worker") and rng.random() < 0.12 else []
    source = f"alice/r{seed}-{number}"
    destination = f"{source}-copy" if same_hub or rng.random() < 0.5 else source
    return Copy(source, destination, files, before, private, gated, spoiled, branches, tags)


def drawn(seed: int, known: list[str], trap: str, docker: bool = False) -> Round:
    """The round of this seed. `known` are the kinds of faults, `trap` an address that no token may reach."""
    rng = random.Random(seed)
    verb = rng.choices(list(VERBS), VERBS.values())[0]
    pairs = [("hf", "ms")] * 4 + [("ms", "hf")] * 3 + [("hf", "hf"), ("ms", "ms")]
    source, destination = rng.choice(pairs[:7] if verb in ("batch", "revisions", "worker") else pairs)
    settings = LIMITS | {name: value for name, value in FORMS.items() if rng.random() < 0.1}
    copies = [copy(rng, seed, number, verb, source == destination) for number in range(rng.randrange(2, 4) if verb == "batch" else 1)]
    exists = any(copy.before is not None for copy in copies)
    chosen = mirror_options(rng) if verb == "mirror" else options(rng, verb, {source, destination}, settings, exists)
    if "--use-git" in chosen:
        # No server makes a pack of a repo that has lost a text.
        for one in copies:
            one.spoiled = [entry for entry in one.spoiled if not ("text" in entry and entry.get("missing"))]
    engine = "docker" if docker and verb != "worker" else "local"
    places = faults.routes(source, source if verb == "mirror" else destination)
    kind = rng.choice(["model", "model", "dataset"])
    rules = [faults.drawn(rng, known, places, trap, kind) for _ in range(rng.choice([0, 2, 3, 4, 6, 8]))]
    someone = stranger(rng, destination, copies[0]) if rng.random() < 0.25 else None
    target = rng.choice(["empty", "empty", "older", "older", "unrelated"])
    if verb != "batch" and rng.random() < 0.05:
        settings["ignores_visibility"] = True
    return Round(seed, verb, engine, kind, source, destination, chosen, copies, settings, rules, kill(rng, verb), someone, target)


def mirror_options(rng) -> list[str]:
    drawn = rng.choice([[], [], ["--mirror"], ["--no-force"]])
    return drawn + (["--containers", "2", "--parallel"] if rng.random() < 0.3 else [])
