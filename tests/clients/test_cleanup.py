"""What `hf2ms cleanup` removes is gone for the official clients, and what it keeps is whole."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from clients.copies import TREE, from_hugging_face, from_modelscope, make_files, up_to_hugging_face

FEW = {"README.md": TREE["README.md"], "weights.bin": b"\x00\x01" * 100_000}


@pytest.fixture
def api(sandbox):
    return HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)


def up(sandbox, folder, id):
    up_to_hugging_face(sandbox, make_files(Path(folder) / id, FEW), id, "model")


def test_a_deleted_repo_is_gone_for_the_client_and_a_kept_one_is_whole(sandbox, program, hf2ms, api, tmp_path):
    whole, part = "alice/cleanup-whole", "alice/cleanup-part"
    for id in (whole, part):
        up(sandbox, tmp_path / "up", id)
    before = from_hugging_face(sandbox, part, "model", tmp_path / "before")
    hf2ms(whole)
    hf2ms(part, "--exclude", "weights.bin")
    done = program("cleanup", whole, part, "--delete", "--history-may-go", "--yes-delete", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(whole)
    assert from_hugging_face(sandbox, part, "model", tmp_path / "after") == before
    copy = from_modelscope(sandbox, whole, "model", tmp_path / "copy")
    assert {path: copy[path] for path in FEW} == {path: before[path] for path in FEW}


def test_a_moved_repo_has_its_new_name_and_a_private_one_is_private(sandbox, program, hf2ms, api, tmp_path):
    id = "alice/cleanup-moved"
    up(sandbox, tmp_path / "up", id)
    hf2ms(id)
    for action in (["--make-private"], ["--move-to", "archive-NAME"]):
        done = program("cleanup", id, *action, "--yes-delete", "1")
        assert done.returncode == 0, done.stdout + done.stderr
    info = api.repo_info("alice/archive-cleanup-moved")
    assert info.private and info.id == "alice/archive-cleanup-moved"
