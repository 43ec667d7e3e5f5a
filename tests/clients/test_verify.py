"""What `hf2ms verify` says of copies that the official clients change."""

import json

import pytest
from huggingface_hub import HfApi
from modelscope_hub import HubApi

from clients.copies import from_modelscope, make_files, read_files, up_to_hugging_face

FILES = {"README.md": "# hello\n", "notes.txt": "notes", "a.safetensors": 300_000, "b.safetensors": 400_000}
LEVELS = {"listing": [], "sample": ["--sample", "100%"], "deep": ["--deep"], "both": ["--deep", "--both"]}


@pytest.fixture
def verify(program):
    """Verifies at a level; returns the paths that are different, missing and extra."""

    def run(id, level, code):
        done = program("verify", id, *LEVELS[level], "--json", HF2MS_RETRY_BASE="0.01")
        assert done.returncode == code, done.stdout + done.stderr
        said = json.loads(done.stdout.splitlines()[-1])["verification"]
        return said["different"], said["missing"], said["extra"]

    return run


@pytest.mark.parametrize("level", LEVELS)
def test_a_copy_that_a_client_damages_is_found_and_one_that_it_mends_is_equal(sandbox, hf2ms, verify, tmp_path, level):
    id = f"alice/verified-{level}"
    folder = make_files(tmp_path / "up", FILES)
    up_to_hugging_face(sandbox, folder, id, "model")
    hf2ms(id)
    usual = verify(id, level, 0)
    assert usual[:2] == ([], [])
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    damaged = {"a.safetensors": FILES["a.safetensors"] * b"x", "notes.txt": b"other"}
    for path, content in damaged.items():
        api.upload_file(id, "model", content, path)
    different, missing, _ = verify(id, level, 4)
    assert (sorted(different), missing) == (sorted(damaged), [])
    came = from_modelscope(sandbox, id, "model", tmp_path / "down")
    sent = read_files(folder)
    assert sorted(path for path in sent if came[path] != sent[path]) == sorted(damaged)
    for path in damaged:
        api.upload_file(id, "model", sent[path], path)
    assert verify(id, level, 0) == usual


def test_what_a_client_changes_at_the_source_is_found(sandbox, hf2ms, verify, tmp_path):
    id = "alice/verified-source"
    up_to_hugging_face(sandbox, make_files(tmp_path / "up", FILES), id, "model")
    hf2ms(id)
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.upload_file(repo_id=id, path_or_fileobj=b"\0" * 300_000, path_in_repo="a.safetensors")
    api.upload_file(repo_id=id, path_or_fileobj=b"new", path_in_repo="new.txt")
    api.delete_file("notes.txt", repo_id=id)
    different, missing, extra = verify(id, "both", 4)
    assert (different, missing) == (["a.safetensors"], ["new.txt"]) and "notes.txt" in extra
