"""docs/owners.md is run as it is written, `org` being acme and `me` being alice. The official clients see what it says."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from clients.copies import from_hugging_face, from_modelscope
from programs import HF2MS, PATIENCE, ROOT, environment
from servers.git.host import ALICE, Host
from servers.git.repos import Repo
from servers.sandbox import Sandbox
from terminal.terminal import Terminal
from terminal.test_cleanup import asked

PAGE = ROOT / "docs/owners.md"
# `org/name`, and the seven other repos of which the page speaks.
NAME = ("model", "acme/name")
REST = [*(("model", f"acme/model-{number}") for number in range(5)), *(("dataset", f"acme/data-{number}") for number in range(2))]
WEIGHTS = {"path": "w.safetensors", "size": 50_000, "seed": 1}
FILES = ({"path": "README.md", "text": "# hello\n"}, {"path": "a.txt", "text": "a"}, WEIGHTS)


def command_lines():
    """What is typed, by what it is without its comment."""
    written = re.findall(r"^    (\S.*)$", PAGE.read_text(), re.MULTILINE)
    return {line.split(" # ")[0].rstrip(): line for line in written}


class Reader:
    """Someone who types a line of the page after the other."""

    def __init__(self, hubs, host, folder):
        self.hubs, self.host, self.folder = hubs, host, folder
        self.api = HfApi(endpoint=hubs.hf, token=hubs.hf_alice)
        sides = {"HF_ENDPOINT": hubs.hf, "HF_TOKEN": hubs.hf_alice, "MODELSCOPE_ENDPOINT": hubs.ms, "MODELSCOPE_TOKEN": hubs.ms_alice}
        git = {"TARGET_USERNAME": ALICE[0], "TARGET_TOKEN": ALICE[1]}
        self.variables = environment("HOME", **sides, **git, HF2MS_STATE=str(folder / "state")) | {"PATH": f"{HF2MS.parent}:{os.environ['PATH']}"}
        self.line = ""

    def words(self, line):
        """A line with the owners that the sandbox has, and a Git host that is there."""
        owners = {"org": "acme", "me": "alice"}
        line = re.sub(r"\b(org|me)(?=[/ ]|$)", lambda found: owners[found[1]], line)
        return line.replace("https://git.example", self.host.url)

    def type(self, code=0, line=None):
        """The line, or another one, ends with `code`; returns what it prints."""
        words = self.words(line or self.line)
        ran = subprocess.run(["bash", "-c", words], env=self.variables, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == code, f"{words} ended with {ran.returncode}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def agree(self):
        """The line asks at a terminal for the id of `org/name`, and does nothing before that is typed."""
        more = {name: self.variables[name] for name in ("HOME", "HF_TOKEN", "PATH")}
        with Terminal(self.hubs, self.folder, 200, "-c", self.words(self.line), program="bash", **more) as terminal:
            terminal.until(asked(NAME[1]))
            assert self.api.repo_info(NAME[1]).private is False
            terminal.type(f"{NAME[1]}\n")
            code, shown = terminal.end()
        assert code == 0, "\n".join(shown)

    def lists_all(self, code):
        text = self.type(code)
        assert all(id in text for _, id in (NAME, *REST)), text
        return text

    def is_whole(self, repo, here=""):
        """The copy has all for ModelScope's client, and the source for Hugging Face's, where it is `here`."""
        kind, id = repo
        assert self.api.repo_exists(here or id, repo_type=kind) == bool(here)
        with tempfile.TemporaryDirectory() as folder:
            came = from_modelscope(self.hubs, id.replace("acme/", "alice/"), kind, Path(folder))
        assert (came["README.md"], came["a.txt"], len(came["w.safetensors"])) == (b"# hello\n", b"a", WEIGHTS["size"])


def is_summed_up(reader):
    assert reader.type(1) and "acme/" not in reader.type(1)


def is_another_way(reader):
    text = reader.type()
    assert "acme/model-0" in text and "acme/model-1" not in text


def is_written(reader):
    reader.lists_all(1)
    lines = (reader.folder / "repos.txt").read_text().splitlines()
    wanted = [f"hf:{kind}s/{id} ms:{kind}s/{id.replace('acme/', 'alice/')}" for kind, id in (NAME, *REST)]
    assert sorted(line.split("  #")[0] for line in lines[1:]) == sorted(wanted)


def is_copied(reader):
    reader.type()
    for repo in (NAME, *REST):
        reader.is_whole(repo, here=repo[1])


def is_in_a_table(reader):
    reader.type()
    rows = [line for line in (reader.folder / "copies.md").read_text().splitlines() if line.startswith("|")]
    assert all(sum(id in row for row in rows) == 1 for _, id in (NAME, *REST)), rows


def has_each_revision(reader):
    reader.type(1)
    reader.type(0, "hf2ms migrate org/name ms:me/name --all-revisions")
    reader.type()


def is_mirrored(reader):
    Repo.new(reader.host, "alice/name")
    reader.type(1)
    reader.type(0, reader.line.replace("--check", ""))
    reader.type()


def has_checksums(reader):
    reader.type()
    assert len((reader.folder / "SHA256SUMS").read_text().splitlines()) == len(FILES)


def passes(reader):
    for download, id in ((from_modelscope, "alice/name"), (from_hugging_face, "acme/name")):
        folder = reader.folder / "my-download"
        download(reader.hubs, id, "model", folder)
        assert reader.type().count(": OK") == len(FILES)
        (folder / "a.txt").write_text("b")
        reader.type(1)
        folder.rename(reader.folder / id.replace("/", "-"))


def only_shows(reader):
    """The history of all would be lost, and nothing is written."""
    reader.type(1)
    reader.is_whole(NAME, here=NAME[1])
    assert all(reader.api.repo_exists(id, repo_type=kind) for kind, id in REST)


def deletes(reader):
    reader.agree()
    reader.is_whole(NAME)


def deletes_seven(reader):
    reader.type(2, reader.line.replace("--yes-delete 7", "--yes-delete 6"))
    assert all(reader.api.repo_exists(id, repo_type=kind) for kind, id in REST)
    reader.type()
    for repo in REST:
        reader.is_whole(repo)


def moves(reader):
    seed(reader.hubs, *NAME)
    reader.type(0, "hf2ms migrate org/name ms:me/name --all-revisions")
    reader.agree()
    assert reader.api.repo_info("acme/archive-name").id == "acme/archive-name"
    reader.api.move_repo("acme/archive-name", NAME[1])


def makes_private(reader):
    reader.agree()
    assert reader.api.repo_info(NAME[1]).private
    reader.api.update_repo_settings(NAME[1], private=False)


# What each line of the page does, in its order.
STEPS = {
    "hf2ms inventory org": lambda reader: reader.lists_all(1),
    "hf2ms inventory org --against ms:me": lambda reader: reader.lists_all(1),
    "hf2ms inventory ms:org --against hf:org": is_another_way,
    "hf2ms inventory org --summary": is_summed_up,
    "hf2ms inventory org --against ms:me --only none,partial --write repos.txt": is_written,
    "hf2ms batch --file repos.txt --force": is_copied,
    "hf2ms inventory org --against ms:me --fail-on none,different,partial,newer,conflict,disabled,unreadable,exposed --format md > copies.md": is_in_a_table,
    "hf2ms verify --owner org --to-owner me": lambda reader: reader.lists_all(0),
    "hf2ms verify --file repos.txt --deep": lambda reader: reader.lists_all(0),
    "hf2ms verify org/name ms:me/name --all-revisions": has_each_revision,
    "hf2ms verify --file repos.txt --all-revisions": lambda reader: reader.lists_all(0),
    "hf2ms mirror hf:org/name https://git.example/me/name.git --check": is_mirrored,
    "hf2ms verify org/name ms:me/name --checksums SHA256SUMS": has_checksums,
    "cd my-download && sha256sum -c ../SHA256SUMS": passes,
    "hf2ms verify ms:me/name --against SHA256SUMS": lambda reader: reader.type(),
    "hf2ms cleanup org/name --against ms:me": only_shows,
    "hf2ms cleanup --file repos.txt": only_shows,
    "hf2ms cleanup org/name --against ms:me --delete --history-may-go": deletes,
    "hf2ms cleanup --file repos.txt --delete --history-may-go --yes-delete 7": deletes_seven,
    "hf2ms cleanup org/name --against ms:me --move-to archive-NAME": moves,
    "hf2ms cleanup org/name --against ms:me --make-private": makes_private,
    "hf2ms migrate org/name ms:me/name --all-revisions --then cleanup --history-may-go": deletes,
}


def seed(hubs, kind, id):
    hubs.seed("hf", kind, id, *FILES, tags=["v1"] if id == NAME[1] else [])


@pytest.fixture
def reader(tmp_path):
    host = Host(tmp_path / "git", tmp_path / "lfs")
    for folder in (host.root, host.store, tmp_path / "folder"):
        folder.mkdir()
    host.start()
    with Sandbox(tmp_path / "blobs", hf_whoami_quota=None) as hubs:
        for repo in (NAME, *REST):
            seed(hubs, *repo)
        # One copy lacks files, and one repo of org is on ModelScope.
        for owner in ("alice", "acme"):
            hubs.seed("ms", "model", f"{owner}/model-0", WEIGHTS)
        yield Reader(hubs, host, tmp_path / "folder")
    host.stop()


def test_the_page_is_run_as_it_is_written(reader):
    lines = command_lines()
    assert list(lines) == list(STEPS), "each line of the page is run, in its order"
    for line, run in STEPS.items():
        reader.line = lines[line]
        run(reader)
