"""What `hf2ms inventory` says, held against what the official clients upload, list and download."""

import json
import subprocess

import pytest
from huggingface_hub import HfApi, RepoFile
from huggingface_hub.errors import HfHubHTTPError

from clients.copies import TREE, from_hugging_face, from_modelscope, make_files, up_to_hugging_face, up_to_modelscope
from programs import HF2MS, environment


@pytest.fixture(autouse=True)
def acme_has_nothing_else(sandbox):
    """Other tests list what acme has: it has nothing again afterwards."""
    yield
    for hub in ("hf", "ms"):
        for repo in sandbox.ask("GET", "/repos", hub=hub):
            if repo["id"].startswith("acme/inventory-"):
                sandbox.ask("DELETE", "/repo", hub=hub, kind=repo["kind"], id=repo["id"])


@pytest.fixture
def inventory(sandbox, tmp_path):
    """Runs `hf2ms inventory`, and returns its document."""

    def run(*args):
        hubs = {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
        env = environment("HOME", **hubs, HF2MS_STATE=str(tmp_path / "state"))
        done = subprocess.run([HF2MS, "inventory", *args, "--format", "json"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return {row["source"]: row for row in json.loads(done.stdout)["repos"]}

    return run


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_copy_differs_in_the_files_that_both_clients_download_differently(sandbox, inventory, tmp_path, kind):
    same, other = f"acme/inventory-{kind}", f"acme/inventory-other-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    for id, change in ((same, {}), (other, {"deep/er/still/notes.txt": "notez" * 1000})):
        up_to_hugging_face(sandbox, folder, id, kind)
        here = from_hugging_face(sandbox, id, kind, tmp_path / id)
        up_to_modelscope(sandbox, make_files(tmp_path / id, change), id, kind)
        there = from_modelscope(sandbox, id, kind, tmp_path / "down" / id)
        different = sorted(path for path in here if there.get(path) != here[path])
        assert different == list(change)
    rows = inventory("acme", "--repo-type", kind, "--deep")
    row, changed = rows[f"hf:{kind}s/{same}"], rows[f"hf:{kind}s/{other}"]
    assert (row["state"], row["present"]) == ("equal", len(here))
    assert (changed["state"], changed["different_files"]) == ("different", different)


def test_files_bytes_and_commits_are_those_that_the_client_lists(sandbox, inventory, tmp_path):
    id = "acme/inventory-listed"
    up_to_hugging_face(sandbox, make_files(tmp_path / "up", TREE), id, "model")
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    files = [entry for entry in api.list_repo_tree(id, recursive=True) if isinstance(entry, RepoFile)]
    row = inventory("acme", "--repo-type", "model", "--refs")[f"hf:models/{id}"]
    assert (row["state"], row["files"], row["bytes"]) == ("none", len(files), sum(file.size for file in files))
    assert row["large_bytes"] == sum(file.size for file in files if file.lfs)
    listed = next(model for model in api.list_models(author="acme", expand=["sha", "likes", "private"]) if model.id == id)
    assert (row["source_head"], row["likes"]) == (listed.sha, listed.likes)
    refs = api.list_repo_refs(id)
    assert (row["branches"], row["tags"]) == (len(refs.branches), len(refs.tags))


def test_the_sandboxs_lists_tell_what_the_client_asks_for_and_refuse_anything_else(sandbox):
    sandbox.seed("hf", "space", "acme/inventory-app", {"path": "app.py", "text": "x"}, sdk="gradio")
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    app = next(space for space in api.list_spaces(author="acme", expand=["sha", "usedStorage"]) if space.id == "acme/inventory-app")
    assert app.sha and app.used_storage == 1 and app.likes is None
    with pytest.raises(HfHubHTTPError) as refused:
        list(api.list_spaces(author="acme", expand=["gated"]))
    assert refused.value.response.status_code == 400
