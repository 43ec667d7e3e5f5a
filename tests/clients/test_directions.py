"""What hf2ms copies, seen by the official clients on either end: byte for byte."""

import hashlib
import shutil

import pytest
from huggingface_hub import HfApi, RepoCard, snapshot_download
from modelscope_hub import HubApi

from clients.copies import TREE, arrived, binaries_anywhere, from_hugging_face, from_modelscope, make_files, read_files, up_to_hugging_face, up_to_modelscope

REFUSED = "---\nlanguage: zh\nlicense: Apache License 2.0\n---\n# 你好\r\nlicense: Apache License 2.0\n"


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_what_modelscopes_client_uploads_hugging_faces_downloads(sandbox, hf2ms, tmp_path, kind):
    id = f"alice/ms-to-hf-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    up_to_modelscope(sandbox, folder, id, kind)
    report = hf2ms(f"ms:{id}", "--repo-type", kind)
    assert report["verification"]["equal"] == report["files"]
    arrived(from_hugging_face(sandbox, id, kind, tmp_path / "down"), folder)


def test_a_large_file_in_parts_is_downloaded_as_it_was(sandbox, hf2ms, tmp_path):
    folder = make_files(tmp_path / "up", {"model.safetensors": 5_300_000, "README.md": "# parts\n"})
    up_to_modelscope(sandbox, folder, "alice/direction-in-parts", "model")
    before = sandbox.ask("GET", "/settings")
    sandbox.post("/settings", hf_multipart_above=1_000_000, hf_part_size=1 << 20)
    try:
        hf2ms("ms:alice/direction-in-parts")
    finally:
        sandbox.post("/settings", **{key: before[key] for key in ("hf_multipart_above", "hf_part_size")})
    assert sandbox.counted("hf.lfs_complete")["requests"] == 1
    arrived(from_hugging_face(sandbox, "alice/direction-in-parts", "model", tmp_path / "down"), folder)


def test_a_card_is_changed_in_its_license_alone(sandbox, hf2ms, tmp_path):
    folder = make_files(tmp_path / "up", {"README.md": REFUSED, "a.txt": "a"})
    up_to_modelscope(sandbox, folder, "alice/direction-card", "model")
    hf2ms("ms:alice/direction-card")
    came = from_hugging_face(sandbox, "alice/direction-card", "model", tmp_path / "down")
    assert came["README.md"].decode() == REFUSED.replace("Apache License 2.0", "apache-2.0", 1)
    assert came["a.txt"] == b"a"


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_within_hugging_face(sandbox, hf2ms, tmp_path, kind):
    id = f"alice/hf-to-hf-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    up_to_hugging_face(sandbox, folder, id, kind)
    hf2ms(f"hf:{id}", "--repo-type", kind, "--to", "hf", "--dest", f"{id}-copy")
    arrived(from_hugging_face(sandbox, f"{id}-copy", kind, tmp_path / "down"), folder)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_within_modelscope(sandbox, hf2ms, tmp_path, kind):
    id = f"alice/ms-to-ms-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    up_to_modelscope(sandbox, folder, id, kind)
    hf2ms(f"ms:{id}", "--repo-type", kind, "--to", "ms", "--dest", f"{id}-copy")
    arrived(from_modelscope(sandbox, f"{id}-copy", kind, tmp_path / "down"), folder)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_what_hugging_faces_client_uploads_modelscopes_downloads(sandbox, hf2ms, tmp_path, kind):
    id = f"alice/hf-to-ms-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    up_to_hugging_face(sandbox, folder, id, kind)
    hf2ms(f"hf:{id}", "--repo-type", kind)
    arrived(from_modelscope(sandbox, id, kind, tmp_path / "down"), folder)


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize("way", ["locked", "asked"])
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_what_is_read_by_git_modelscopes_client_downloads(sandbox, hf2ms, tmp_path, kind, way):
    id = f"alice/git-{way}-{kind}"
    folder = make_files(tmp_path / "up", TREE)
    up_to_hugging_face(sandbox, folder, id, kind)
    if way == "locked":
        sandbox.post("/repo", hub="hf", kind=kind, id=id, storage_locked="private")
    report = hf2ms(f"hf:{id}", "--repo-type", kind, *(["--use-git"] if way == "asked" else []))
    assert report["verification"]["equal"] == report["files"]
    assert any("is read by Git" in line for line in report["warnings"]) == (way == "locked")
    assert sandbox.counted("hf.resolve")["requests"] == 0
    arrived(from_modelscope(sandbox, id, kind, tmp_path / "down"), folder)


def test_the_client_goes_on_where_hf2ms_ended(sandbox, hf2ms, tmp_path):
    """Both write to one repo in turn: neither finds anything of the other's odd."""
    folder = make_files(tmp_path / "up", TREE)
    up_to_modelscope(sandbox, folder, "alice/direction-in-turn", "model")
    hf2ms("ms:alice/direction-in-turn")
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    puts = sandbox.counted("hf_storage.put")["requests"]
    with binaries_anywhere(sandbox):
        api.upload_folder(repo_id="alice/direction-in-turn", folder_path=make_files(tmp_path / "more", {**TREE, "new.txt": "new"}))
    assert sandbox.counted("hf_storage.put")["requests"] == puts, "no blob is sent again"
    hf2ms("ms:alice/direction-in-turn")
    came = from_hugging_face(sandbox, "alice/direction-in-turn", "model", tmp_path / "down")
    arrived(came, folder)
    assert came["new.txt"] == b"new"


def with_history(sandbox, tmp_path, id):
    """A repo whose `main` has moved on since a tag, and a branch: the folder of each revision."""
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.create_repo(id)
    old = make_files(tmp_path / "old", {"README.md": "# old\n", "weights.safetensors": 300_000})
    new = make_files(tmp_path / "new", {"README.md": "# new\n", "weights.safetensors": 300_000, "more.txt": "more"})
    dev = make_files(tmp_path / "dev", {"README.md": "# dev\n", "other.safetensors": 200_000})
    api.upload_folder(repo_id=id, folder_path=old)
    api.create_tag(id, tag="v0.1")
    api.create_branch(id, branch="dev/x")
    api.upload_folder(repo_id=id, folder_path=dev, revision="dev/x", delete_patterns="*")
    api.upload_folder(repo_id=id, folder_path=new)
    return {"main": new, "dev/x": dev, "v0.1": old}


def test_every_branch_and_tag_is_there_for_modelscopes_client(sandbox, hf2ms, tmp_path):
    id = "alice/all-revisions"
    folders = with_history(sandbox, tmp_path, id)
    done = hf2ms(id, "--all-revisions")
    assert (done["event"], done["counts"]["copied"], done["counts"]["failed"]) == ("revisions", 3, 0)
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    assert {r["Revision"] for r in api.list_repo_revisions(id, "model")} == {"master", "dev/x", "v0.1"}
    for revision, folder in folders.items():
        down = tmp_path / "down" / revision
        api.download_repo(id, "model", revision={"main": "master"}.get(revision, revision), local_dir=down)
        arrived(read_files(down), folder)
    assert not (tmp_path / "down/dev/x/weights.safetensors").exists()


def test_every_branch_and_tag_is_there_for_hugging_faces_client(sandbox, hf2ms, tmp_path):
    id = "alice/all-revisions-there-and-back"
    folders = with_history(sandbox, tmp_path, id)
    hf2ms(id, "--all-revisions")
    back = "alice/all-revisions-back"
    hf2ms(f"ms:{id}", "--dest", back, "--all-revisions")
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    refs = api.list_repo_refs(back)
    assert ({b.name for b in refs.branches}, {t.name for t in refs.tags}) == ({"main", "dev/x"}, {"v0.1"})
    for revision, folder in folders.items():
        down = tmp_path / "down" / revision
        snapshot_download(back, revision=revision, endpoint=sandbox.hf, token=sandbox.hf_alice, local_dir=down)
        arrived(read_files(down), folder)
    assert not (tmp_path / "down/dev/x/weights.safetensors").exists()


def test_a_studio_is_a_space_for_hugging_faces_client(sandbox, hf2ms, tmp_path):
    id = "alice/studio-to-space"
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    api.create_repo(id, "studio", visibility="private", sdk_type="gradio")
    folder = make_files(tmp_path / "up", {"README.md": "---\nlicense: mit\n---\n# hello\n", "app.py": "import gradio", "weights/m.safetensors": 300_000})
    api.upload_folder(repo_id=id, repo_type="studio", folder_path=folder, commit_message="all")
    report = hf2ms(f"ms:studios/{id}", "--spaces-as", "space")
    assert report["verification"]["equal"] == report["files"]
    info = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice).space_info(id)
    assert (info.sdk, info.private) == ("gradio", True)
    came = from_hugging_face(sandbox, id, "space", tmp_path / "down")
    assert RepoCard(came.pop("README.md").decode(), ignore_metadata_errors=False).data.to_dict() == {"sdk": "gradio", "license": "mit"}
    sent = read_files(folder)
    assert {path: came.get(path) for path in sent if path != "README.md"} == {path: sent[path] for path in sent if path != "README.md"}


def test_a_space_is_a_studio_for_modelscopes_client(sandbox, hf2ms, tmp_path):
    id = "alice/space-to-studio"
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.create_repo(id, repo_type="space", space_sdk="streamlit", private=True)
    api.add_space_secret(id, "API_KEY", "canary")
    api.add_space_variable(id, "MODEL", "canary")
    assert (set(api.get_space_secrets(id)), set(api.get_space_variables(id))) == ({"API_KEY"}, {"MODEL"})
    folder = make_files(tmp_path / "up", TREE)
    with binaries_anywhere(sandbox):
        api.upload_folder(repo_id=id, repo_type="space", folder_path=folder)
    assert api.space_info(id).sdk == "streamlit"
    report = hf2ms(id, "--spaces-as", "studio")
    assert report["verification"]["equal"] == report["files"]
    assert "API_KEY" in str(report["warnings"]) and "MODEL" in str(report["warnings"]) and "canary" not in str(report)
    studio = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    about = studio.get_repo(id, "studio")
    assert (about.sdk_type, about.private) == ("streamlit", True)
    # The client downloads no studio's files: it lists them.
    listed = {f.path: (f.size, f.sha256) for f in studio.list_repo_files(id, "studio") if f.type == "blob"}
    for path, content in read_files(folder).items():
        assert listed[path] == (len(content), hashlib.sha256(content).hexdigest()), path
