"""What arrives where a copy has limits or takes a part of the files, as ModelScope's client sees it; the same command goes on."""

import json
import time

import pytest
from huggingface_hub import HfApi

from clients.copies import arrived, from_modelscope, make_files, read_files, up_to_hugging_face

LARGE = [f"{number}.safetensors" for number in range(4)]
FILES = {"README.md": "# hello\n", "config.json": "{}", "notes.txt": "notes" * 1000}
# What ModelScope puts into each new repo.
ITS_OWN = {".gitattributes", "configuration.json", "README.md"}


@pytest.fixture
def source(sandbox, tmp_path):
    """A repo of a name of its own: its id and the folder that was uploaded."""

    def make(name):
        # ModelScope has none of these blobs from elsewhere.
        folder = make_files(tmp_path / "up", FILES | {path: f"{name} {path} ".encode() * 10_000 for path in LARGE})
        up_to_hugging_face(sandbox, folder, f"alice/{name}", "model")
        return f"alice/{name}", folder

    return make


def at_modelscope(sandbox, id, to):
    return from_modelscope(sandbox, id, "model", to)


LIMITS = {"transfer": ["--max-transfer", "700KB"], "duration": ["--max-duration", "2s", "--streams", "1"]}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_leaves_whole_files_to_the_same_command(sandbox, source, migrate, tmp_path, limit):
    id, folder = source(f"limit-of-{limit}")
    if limit == "duration":
        sandbox.post("/settings", hf_down=200_000)
    done = migrate(id, *LIMITS[limit])
    report = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and report["stopped_at"], done.stdout + done.stderr
    sent, came = read_files(folder), at_modelscope(sandbox, id, tmp_path / "some")
    some = {path for path in LARGE if path in came}
    assert some and some < set(LARGE) and "config.json" not in came
    assert all(came[path] == sent[path] for path in some)
    sandbox.post("/settings", hf_down=None)
    again = [migrate(id, *LIMITS[limit]).returncode for _ in range(2)]
    assert again[-1] == 0, again
    arrived(at_modelscope(sandbox, id, tmp_path / "all"), folder)


def test_a_filter_brings_its_files_and_the_command_without_it_the_rest(sandbox, source, hf2ms, tmp_path):
    id, folder = source("filtered")
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    time.sleep(1.1)
    api.upload_file(repo_id=id, path_or_fileobj=b"new", path_in_repo="new.txt")
    (folder / "new.txt").write_text("new")
    since = api.list_repo_commits(id)[0].created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    (tmp_path / "list").write_text("# of a reader\n1.safetensors\nnotes.txt\n")
    filters = {
        ("--min-size", "100KB"): set(LARGE),
        ("--max-size", "1KB"): {"README.md", "config.json", "new.txt"},
        ("--min-size", "1KB", "--max-size", "100KB"): {"notes.txt"},
        ("--files-from", "list"): {"1.safetensors", "notes.txt"},
        ("--changed-since", since): {"new.txt"},
    }
    for number, (words, wanted) in enumerate(filters.items()):
        copy = f"{id}-{number}"
        hf2ms(id, f"ms:{copy}", *words)
        came = at_modelscope(sandbox, copy, tmp_path / copy)
        assert set(came) - ITS_OWN == wanted - ITS_OWN, words
        assert ("README.md" in wanted) == (came["README.md"] == b"# hello\n")
    hf2ms(id, f"ms:{copy}")
    arrived(at_modelscope(sandbox, copy, tmp_path / "rest"), folder)
