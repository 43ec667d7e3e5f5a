"""What `hf2ms cleanup` removes is gone for the official clients, and what it keeps is whole."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from clients.copies import TREE, arrived, from_hugging_face, from_modelscope, make_files, up_to_hugging_face

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


def test_a_copy_is_made_and_its_source_goes(sandbox, program, api, tmp_path):
    id = "alice/cleanup-then"
    up(sandbox, tmp_path / "up", id)
    done = program("migrate", id, "--then", "cleanup", "--history-may-go", "--yes-delete", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(id)
    arrived(from_modelscope(sandbox, id, "model", tmp_path / "copy"), tmp_path / "up" / id)


def test_a_batch_lets_whole_ones_go_and_keeps_one_whose_tag_is_not_copied(sandbox, program, api, tmp_path):
    whole, tagged = ("alice/cleanup-batch-a", "alice/cleanup-batch-b"), "alice/cleanup-batch-tagged"
    for id in (*whole, tagged):
        up(sandbox, tmp_path / "up", id)
    api.create_tag(tagged, tag="v1", revision=api.list_repo_commits(tagged)[-1].commit_id)
    command = ("batch", *whole, tagged, "--then", "cleanup", "--history-may-go", "--yes-delete")
    agreed_to_too_many = program(*command, "3")
    assert agreed_to_too_many.returncode == 2, agreed_to_too_many.stdout + agreed_to_too_many.stderr
    assert all(api.repo_exists(id) for id in whole)
    done = program(*command, "2", "--force")
    assert done.returncode == 1, done.stdout + done.stderr
    assert not any(api.repo_exists(id) for id in whole)
    arrived(from_hugging_face(sandbox, tagged, "model", tmp_path / "kept"), tmp_path / "up" / tagged)
    assert [tag.name for tag in api.list_repo_refs(tagged).tags] == ["v1"]
    for id in whole:
        arrived(from_modelscope(sandbox, id, "model", tmp_path / "copy" / id), tmp_path / "up" / id)
