"""What a copy replaces and deletes, had again by the official clients and the tag that the copy has made."""

from huggingface_hub import HfApi, snapshot_download
from modelscope_hub import HubApi

from clients.copies import arrived, make_files, read_files, up_to_hugging_face

OLD = {"README.md": "# old\n", "a.txt": "a", "gone.txt": "gone", "weights.safetensors": 300_000}


def moved_on(sandbox, tmp_path, hf2ms, id, *to):
    """A copy whose source has replaced a file and deleted another since. Returns the old folder, and the tag of the copy that followed."""
    folder = make_files(tmp_path / "old", OLD)
    up_to_hugging_face(sandbox, folder, id, "model")
    hf2ms(f"hf:{id}", *to)
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.upload_file(path_or_fileobj=b"# new\n", path_in_repo="README.md", repo_id=id)
    api.delete_file("gone.txt", repo_id=id)
    report = hf2ms(f"hf:{id}", *to, "--prune", "--yes")
    assert report["deleted_files"] == ["gone.txt"]
    return folder, report["backup"]


def test_modelscopes_client_has_it_again(sandbox, hf2ms, tmp_path):
    id = "alice/backup-on-modelscope"
    folder, backup = moved_on(sandbox, tmp_path, hf2ms, id)
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    assert backup["tag"] in {r["Revision"] for r in api.list_repo_revisions(id, "model")}
    api.download_repo(id, "model", revision=backup["tag"], local_dir=tmp_path / "down")
    arrived(read_files(tmp_path / "down"), folder)


def test_hugging_faces_client_has_it_again(sandbox, hf2ms, tmp_path):
    id, copy = "alice/backup-on-hugging-face", "alice/backup-on-hugging-face-copy"
    folder, backup = moved_on(sandbox, tmp_path, hf2ms, id, "--to", "hf", "--dest", copy)
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(copy).tags}
    assert tags == {backup["tag"]: backup["commit"]}
    snapshot_download(copy, revision=backup["tag"], endpoint=sandbox.hf, token=sandbox.hf_alice, local_dir=tmp_path / "down")
    arrived(read_files(tmp_path / "down"), folder)
