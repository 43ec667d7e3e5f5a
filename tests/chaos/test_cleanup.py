"""A few rounds of scripts/chaos-cleanup, and proof that its checks can fail: programs that delete too much are found out."""

import sys

import pytest

from programs import HF2MS, ROOT, WORKER
from servers.sandbox import Sandbox

sys.path.insert(0, str(ROOT / "scripts"))

from campaign import cleanups  # noqa: E402

# Deletes what the list names, behind the back of every check; ACT decides which.
PROGRAM = """#!{python}
import json, os, pathlib, sys, urllib.request
def delete(endpoint, token, kind, id):
    body = json.dumps(dict(type=kind, name=id.split("/")[1], organization=id.split("/")[0])).encode()
    headers = dict(Authorization="Bearer " + token)
    urllib.request.urlopen(urllib.request.Request(endpoint + "/api/repos/delete", data=body, headers=headers, method="DELETE"))
def look(hub, kind, id):
    url = {{"hf": os.environ["HF_ENDPOINT"] + f"/api/{{kind}}s/{{id}}/refs", "ms": os.environ["MODELSCOPE_ENDPOINT"] + f"/api/v1/{{kind}}s/{{id}}/revisions"}}[hub]
    headers = dict(Authorization="Bearer " + os.environ["HF_TOKEN" if hub == "hf" else "MODELSCOPE_TOKEN"])
    urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read()
repos, act = {repos!r}, {act!r}
exec(act)
"""
HF = "os.environ['HF_ENDPOINT'], os.environ['HF_TOKEN']"


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path / "blobs", hf_whoami_quota=None) as sandbox:
        yield sandbox


def drawn(*, lack=None, changes=()):
    """One whole source, and one whose copy lacks something where that is asked for."""
    files = {"README.md": b"# one\n", "w.safetensors": bytes(range(256))}
    whole = cleanups.Repo("model", "alice/whole", {"main": files}, {"main": dict(files)}, False)
    other = cleanups.Repo("model", "alice/other", {"main": files}, {"main": {"README.md": files["README.md"]} if lack else dict(files)}, False, lack)
    return cleanups.CleanupRound(0, [whole, other], list(changes))


def problems(sandbox, tmp_path, round, act):
    program = tmp_path / "program"
    repos = [(repo.kind, repo.id) for repo in round.repos]
    program.write_text(PROGRAM.format(python=sys.executable, repos=repos, act=act))
    program.chmod(0o755)
    attempt = cleanups.CleanupAttempt(sandbox, round, tmp_path / "round", str(program), str(WORKER))
    return {kind for kind, _ in attempt.carry_out().problems}


def test_a_program_that_deletes_by_the_list_alone_is_found_out(sandbox, tmp_path):
    act = f"[delete({HF}, *repo) for repo in repos]"
    assert problems(sandbox, tmp_path, drawn(lack="a file less"), act) == {"copy not whole", "kept without a reason"}


def test_a_program_that_deletes_what_changed_before_its_look_is_found_out(sandbox, tmp_path):
    body = {"hub": "ms", "kind": "model", "id": "alice/other", "revision": "master", "message": "file gone", "delete": ["w.safetensors"]}
    rule = {"route": "ms.*", "path": "alice/other", "count": 1, "kind": {"do": "meanwhile", "method": "POST", "path": "/seed", "body": body}}
    act = f"look('ms', *repos[1]); look('ms', *repos[1]); delete({HF}, *repos[1])"
    assert problems(sandbox, tmp_path, drawn(changes=[rule]), act) == {"copy not whole"}


def test_a_program_that_deletes_nothing_is_found_out(sandbox, tmp_path):
    assert problems(sandbox, tmp_path, drawn(), "pass") == {"kept without a reason"}


def test_a_program_that_crashes_is_found_out(sandbox, tmp_path):
    assert "unfinished" in problems(sandbox, tmp_path, drawn(), "os.abort()")


def test_a_program_that_does_right_passes(sandbox, tmp_path):
    assert problems(sandbox, tmp_path, drawn(lack="other"), f"delete({HF}, *repos[0])") == set()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_round_deletes_nothing_without_a_whole_copy(sandbox, tmp_path, seed):
    result = cleanups.one_round(sandbox, seed, 4, tmp_path / "round", str(HF2MS), str(WORKER))
    assert not result.problems
