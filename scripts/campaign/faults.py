"""The faults of the sandbox: which kinds it has, where they strike, and the values that a round gives them."""

from __future__ import annotations

import re
import urllib.error

# Routes by what a repo is in a copy. A pattern with `*` is all of an origin.
READS = {
    "hf": "info tree refs paths_info commits resolve resolve_cache git_refs git_upload_pack lfs_batch auth_check whoami xet_read_token *".split(),
    "ms": "info files download resolve revisions commits oss git_refs git_upload_pack git_lfs me list *".split(),
}
WRITES = {
    "hf": "create preupload validate_yaml commit lfs_batch lfs_verify lfs_complete settings branch tag info tree xet_write_token *".split(),
    "ms": "create batch commit login info files git_push tag *".split(),
}
STORAGE = {
    "hf": ["hf_storage.get", "hf_storage.put", "hf_storage.*", "hf_cas.reconstruction", "hf_cas.term", "hf_cas.xorb", "hf_cas.shard"],
    "ms": ["ms_storage.get", "ms_storage.put", "ms_storage.*"],
}
# Routes that are asked only after both sides were listed: what is committed there is unknown to the plan.
AFTER_THE_PLAN = {"hf": ["hf.preupload", "hf.commit", "hf.lfs_batch"], "ms": ["ms.batch", "ms.commit"]}

STATUSES = [400, 401, 403, 404, 408, 409, 412, 416, 422, 429, 429, 500, 500, 502, 503, 503, 504]
ENVELOPES = [
    (10030000001, "branch changed"),
    (10030000001, "commit lock busy, please try again"),
    (10030000001, "commit rejected by repository policy"),
    (10990101007, "the file is not there"),
    (10010205001, "record not found"),
    (10010205001, "Error 1461: Can't create more than max_prepared_stmt_count statements"),
]


def status(rng, trap):
    """Another answer, some with a wait, an envelope or a long body."""
    drawn = {"status": rng.choice(STATUSES)}
    if drawn["status"] == 429 and rng.random() < 0.7:
        drawn["headers"] = {"retry-after": rng.choice(["0", "1", "Wed, 21 Oct 2015 07:28:00 GMT"])}
    if rng.random() < 0.3:
        code, message = rng.choice(ENVELOPES)
        drawn["envelope"] = {"code": code, "message": message}
    elif rng.random() < 0.2:
        drawn["body_bytes"] = 300_000
    return drawn


def envelope(rng, trap):
    code, message = rng.choice(ENVELOPES)
    return {"code": code, "message": message}


def offset(rng, trap):
    return {"after": rng.choice([0, 1, rng.randrange(2000), rng.randrange(200_000)])}


def object_error(rng, trap):
    return {"index": rng.randrange(3), "code": rng.choice([404, 410, 422, 500, 507]), "message": "refused by the campaign"}


# By kind, the fields of its rule. A kind that is not here is thrown without any.
VALUES = {
    "status": status,
    "envelope": envelope,
    "redirect": lambda rng, trap: {"location": rng.choice(["loop", None, f"{trap}/redirected"])},
    "nested": lambda rng, trap: {"depth": rng.choice([100, 100_000])},
    "reset": offset,
    "truncate": offset,
    "undeclared": lambda rng, trap: rng.choice([{}, offset(rng, trap)]),
    "stall": offset,
    "slow": lambda rng, trap: {"bytes_per_second": rng.choice([100_000, 1_000_000])},
    "encoding": lambda rng, trap: {"name": rng.choice(["gzip", "br", "x-unknown"])},
    "corrupt": lambda rng, trap: {"at": rng.choice([0, rng.randrange(500), rng.randrange(100_000)])},
    "longer": lambda rng, trap: {"extra": rng.choice([1, 1000])},
    "delay": lambda rng, trap: {"ms": rng.randrange(20, 1500)},
    "work_later": lambda rng, trap: {"ms": rng.randrange(20, 1500)},
    "href": lambda rng, trap: {"href": f"{trap}/handed-out"},
    "object_error": object_error,
    "omit_object": lambda rng, trap: {"index": rng.randrange(3)},
    "next": lambda rng, trap: {"url": rng.choice(["loop", f"{trap}/next"])},
    "cut": lambda rng, trap: {"entries": rng.randrange(10)},
    "moved": lambda rng, trap: {"files": [{"path": f"stranger-{rng.randrange(1000)}.txt", "text": "of someone else\n"}]},
}


def kinds(sandbox) -> list[str]:
    """All kinds of faults that a sandbox has, as its own error lists them."""
    try:
        sandbox.post("/faults", route="none", kind={"do": "?"})
    except urllib.error.HTTPError as refusal:
        listed = refusal.read().decode().split("expected one of", 1)[-1]
        # What changes meanwhile is a request of the admin, which cleanups draw apart (cleanups.py).
        return [kind for kind in re.findall(r"`(\w+)`", listed) if kind != "meanwhile"]
    raise AssertionError("the sandbox takes a fault of a kind that it does not have")


def routes(source: str, destination: str) -> list[str]:
    """Where faults can strike a copy between two hubs."""
    named = [f"{source}.{name}" for name in READS[source]] + [f"{destination}.{name}" for name in WRITES[destination]]
    # What moves bytes and writes is struck more often than its share of the routes.
    return [*named, *3 * (STORAGE[source] + STORAGE[destination]), *2 * AFTER_THE_PLAN[destination]]


def is_beyond_finding(do: str, route: str, kind: str) -> bool:
    """Whether no client could notice it: storage that changes what it was sent and calls it by the right name, and a short listing of a
    ModelScope model, which has no pages and no count."""
    uploads = route.endswith(("storage.put", "storage.*"))
    unpaged = kind == "model" and route in ("ms.files", "ms.*")
    return do == "corrupt" and uploads or do == "cut" and unpaged


def drawn(rng, known: list[str], places: list[str], trap: str, kind: str) -> dict:
    """One rule for `POST /faults`, for repos of a kind."""
    do = rng.choice(known)
    fields = VALUES.get(do, lambda rng, trap: {})(rng, trap)
    route = rng.choice([place for place in places if not is_beyond_finding(do, place, kind)])
    rule = {"route": route, "kind": {"do": do, **fields}, "skip": rng.choice([0, 0, 0, 1, rng.randrange(10)])}
    # Someone else commits once: the same commit again would be another.
    rule["count"] = 1 if do == "moved" else rng.choice([1, 1, 1, 2, 3, 8, None])
    return rule
