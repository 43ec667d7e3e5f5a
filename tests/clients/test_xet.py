"""Hugging Face's own client by Xet, and what hf2ms copies by Xet between such clients: byte for byte."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from huggingface_hub import CommitOperationCopy, HfApi, snapshot_download
from huggingface_hub.errors import FileDuplicationError

from clients.copies import TREE, arrived, from_modelscope, make_files, read_files, up_to_modelscope

# Whether the client uses Xet is settled when it is imported: here it has a process of its own.
UP = "from huggingface_hub import HfApi; api = HfApi(); api.create_repo(sys.argv[1]); api.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])"
DOWN = "from huggingface_hub import snapshot_download; snapshot_download(sys.argv[1], local_dir=sys.argv[2], max_workers=2)"


@pytest.fixture
def xet(sandbox):
    try:
        # The official client sends small binaries outside LFS, where preupload asks for that.
        sandbox.post("/settings", hf_xet=True, hf_refuses_binary=False)
    except urllib.error.HTTPError:
        pytest.skip("this sandbox was built without Xet")
    yield sandbox
    sandbox.post("/settings", hf_xet=False, hf_refuses_binary=True)


def tree(sandbox, id):
    with urllib.request.urlopen(f"{sandbox.hf}/api/models/{id}/tree/main?recursive=true") as answer:
        return json.load(answer)


def by_xet(sandbox, code, *args):
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_XET"}
    env |= {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "HF_XET_CACHE": f"{env['HOME']}/xet"}
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}", *map(str, args)], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def requests(sandbox, *routes):
    return [sandbox.counted(route)["requests"] for route in routes]


def test_a_folder_goes_up_and_comes_down_by_xet(xet, tmp_path):
    folder = make_files(tmp_path / "up", TREE)
    by_xet(xet, UP, "alice/by-xet", folder)
    assert requests(xet, "hf_storage.put", "hf.lfs_batch") == [0, 0] and min(requests(xet, "hf_cas.xorb", "hf_cas.shard")) > 0
    by_xet(xet, DOWN, "alice/by-xet", tmp_path / "down")
    assert requests(xet, "hf_storage.get") == [0] and min(requests(xet, "hf_cas.reconstruction", "hf_cas.term")) > 0
    arrived(read_files(tmp_path / "down"), folder)


def test_what_was_seeded_comes_down_by_xet(xet, tmp_path):
    xet.seed("hf", "model", "alice/seeded-xet", {"path": "a.safetensors", "size": 5_000_000, "seed": 9})
    by_xet(xet, DOWN, "alice/seeded-xet", tmp_path / "down")
    assert requests(xet, "hf_storage.get") == [0] and len(read_files(tmp_path / "down")["a.safetensors"]) == 5_000_000


def test_what_the_official_client_sends_by_xet_reaches_modelscope_by_xet(xet, hf2ms, tmp_path):  # noqa: F811
    folder = make_files(tmp_path / "up", TREE)
    by_xet(xet, UP, "alice/xet-to-ms", folder)
    report = hf2ms("alice/xet-to-ms", "--transport", "xet")
    assert report["verification"]["equal"] == report["files"] and requests(xet, "hf_storage.get") == [0]
    arrived(from_modelscope(xet, "alice/xet-to-ms", "model", tmp_path / "down"), folder)


def test_what_is_sent_by_xet_the_official_client_fetches_by_xet(xet, hf2ms, tmp_path):  # noqa: F811
    folder = make_files(tmp_path / "up", TREE)
    up_to_modelscope(xet, folder, "alice/ms-to-xet", "model")
    hf2ms("ms:alice/ms-to-xet", "--transport", "xet")
    assert requests(xet, "hf_storage.put") == [0]
    by_xet(xet, DOWN, "alice/ms-to-xet", tmp_path / "down")
    assert requests(xet, "hf_storage.get") == [0]
    arrived(read_files(tmp_path / "down"), folder)


def test_both_clients_give_a_file_the_same_hash(xet, hf2ms, tmp_path):  # noqa: F811
    noise = {"noise.safetensors": os.urandom(3_000_000)}
    folder = make_files(tmp_path / "up", {"README.md": "# noise\n"})
    (folder / "noise.safetensors").write_bytes(noise["noise.safetensors"])
    by_xet(xet, UP, "alice/hash-theirs", folder)
    theirs = {entry["path"]: entry.get("xetHash") for entry in tree(xet, "alice/hash-theirs")}
    up_to_modelscope(xet, folder, "alice/hash-ours", "model")
    hf2ms("ms:alice/hash-ours", "--transport", "xet")
    ours = {entry["path"]: entry.get("xetHash") for entry in tree(xet, "alice/hash-ours")}
    assert ours["noise.safetensors"] == theirs["noise.safetensors"] is not None


WEIGHTS = [{"path": "a.safetensors", "size": 3_000_000, "seed": 5}, {"path": "b.safetensors", "size": 2_000_000, "seed": 6}]


def copied_by_the_client(sandbox, source, target):
    """Copies the weights from repo to repo by the official client, which downloads nothing of them."""
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.create_repo(target, exist_ok=True)
    copies = [CommitOperationCopy(file["path"], file["path"], src_repo_id=source, src_repo_type="model") for file in WEIGHTS]
    api.create_commit(target, operations=copies, commit_message="copies")
    return {entry["path"]: entry["lfs"]["oid"] for entry in tree(sandbox, target) if "lfs" in entry}


def test_the_official_client_has_the_hub_copy_blobs_from_repo_to_repo(xet):
    xet.seed("hf", "model", "alice/copied-from", *WEIGHTS)
    oids = {entry["path"]: entry["lfs"]["oid"] for entry in tree(xet, "alice/copied-from")}
    assert copied_by_the_client(xet, "alice/copied-from", "alice/copied-to") == oids
    assert requests(xet, "hf.lfs_duplicate", "hf_storage.put", "hf_storage.get", "hf_cas.xorb") == [1, 0, 0, 0]


def test_the_official_client_is_told_which_blobs_are_not_copied(xet):
    xet.seed("hf", "model", "alice/from-elsewhere", *WEIGHTS)
    xet.post("/repo", hub="hf", kind="model", id="alice/from-elsewhere", region="eu")
    with pytest.raises(FileDuplicationError, match="different storage regions"):
        copied_by_the_client(xet, "alice/from-elsewhere", "alice/to-here")


def test_what_hf2ms_has_the_hub_copy_the_official_client_reads(xet, hf2ms, tmp_path):
    xet.seed("hf", "model", "alice/within", *WEIGHTS)
    report = hf2ms("hf:alice/within", "hf:alice/within-copy")
    assert (report["copied_by_hub"], report["moved"], report["sent"]) == (2, 0, 0)
    assert requests(xet, "hf.lfs_duplicate", "hf_storage.put", "hf_cas.xorb") == [1, 0, 0]
    for name in ("within", "within-copy"):
        snapshot_download(f"alice/{name}", endpoint=xet.hf, token=xet.hf_alice, local_dir=tmp_path / name)
    weights = [{file["path"]: read_files(tmp_path / name)[file["path"]] for file in WEIGHTS} for name in ("within", "within-copy")]
    assert weights[0] == weights[1]
