"""ModelScope's own clients against the sandbox."""

import hashlib

import pytest
from modelscope_hub import HubApi
from modelscope_hub.errors import (
    AlreadyExistsError,
    AuthenticationError,
    HubError,
    NetworkError,
    NotExistError,
    PermissionDeniedError,
)

from clients.copies import TREE, make_files, read_files

TREE = {
    "README.md": "---\nlicense: Apache License 2.0\n---\n# hello\n",
    "config.json": '{"a": 1}',
    "empty.txt": "",
    "weights/model.safetensors": 300_000,
    "weights/twin.safetensors": 300_000,
    "data/ünï cödé & more.txt": "text",
    "deep/er/still/notes.txt": "notes" * 1000,
    "deep/large.txt": 200_000,
}


@pytest.fixture
def api(sandbox):
    return HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_login_and_whoami(sandbox):
    api = HubApi(endpoint=sandbox.ms)
    assert api.login(sandbox.ms_alice).username == "alice"
    assert HubApi(endpoint=sandbox.ms, token=sandbox.ms_bob).whoami().username == "bob"
    with pytest.raises(AuthenticationError):
        HubApi(endpoint=sandbox.ms, token="ms-nobody").whoami()
    with pytest.raises(AuthenticationError):
        HubApi(endpoint=sandbox.ms).login("ms-nobody")


@pytest.mark.parametrize("kind", ["model", "dataset", "studio"])
def test_a_folder_goes_up_and_comes_down(api, sandbox, tmp_path, kind):
    id = f"alice/round-{kind}"
    made = api.create_repo(id, kind, visibility="public")
    assert made.repo_id == id and api.repo_exists(id, kind)
    first = {f.path for f in api.list_repo_files(id, kind)}
    assert {"README.md", ".gitattributes"} <= first
    with pytest.raises(AlreadyExistsError):
        api.create_repo(id, kind)
    up = make_files(tmp_path / "up", TREE)
    api.upload_folder(repo_id=id, repo_type=kind, folder_path=up, commit_message="all")
    listed = {f.path: f for f in api.list_repo_files(id, kind) if f.type == "blob"}
    assert set(listed) == first | set(TREE)
    for path, content in read_files(up).items():
        assert listed[path].sha256 == sha256(content) and listed[path].size == len(content), path
    if kind != "studio":  # The SDK downloads none of those.
        api.download_repo(id, kind, local_dir=tmp_path / "down")
        came = read_files(tmp_path / "down")
        assert {path: came.get(path) for path in TREE} == read_files(up)
    stored = sandbox.stored("ms", "space" if kind == "studio" else kind, id)
    assert {path: stored[path][0] for path in TREE} == {path: sha256(content) for path, content in read_files(up).items()}
    assert stored["weights/model.safetensors"][2] and stored["deep/large.txt"][2] and not stored["README.md"][2]


def test_equal_blobs_are_stored_once_for_the_whole_hub(api, sandbox, tmp_path):
    make_files(tmp_path, {"a.bin": 100_000, "b/a.bin": 5})
    for name in ("one", "two"):
        api.create_repo(f"alice/{name}", "model")
        api.upload_folder(repo_id=f"alice/{name}", repo_type="model", folder_path=tmp_path)
    assert sandbox.counted("ms_storage.put")["requests"] == 2


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_long_listings_come_whole(api, sandbox, kind):
    sandbox.seed("ms", kind, "alice/many", generate={"count": 4000, "folders": 3, "size": 10, "suffix": ".txt"})
    files = [f.path for f in api.list_repo_files("alice/many", kind) if f.type == "blob"]
    assert len(files) == len(set(files)) == 4000
    if kind == "model":
        page = api.legacy._list_files_page("alice/many", kind, "master", recursive=True)
        assert len(page) == 3000


def test_files_are_deleted_by_commit_and_repos_not_at_all(api, sandbox, tmp_path):
    api.create_repo("alice/less", "model")
    api.upload_folder(repo_id="alice/less", repo_type="model", folder_path=make_files(tmp_path, TREE))
    done = api.delete_files("alice/less", "model", ["config.json"], delete_patterns="weights/*")
    assert set(done["deleted_files"]) == {"config.json", "weights/model.safetensors", "weights/twin.safetensors"}
    assert "config.json" not in sandbox.stored("ms", "model", "alice/less")
    with pytest.raises(PermissionDeniedError), pytest.warns(DeprecationWarning):
        api.delete_repo("alice/less", "model")
    with pytest.raises(HubError):
        api.legacy.delete_file("alice/less", "model", "README.md")


def test_revisions(api, sandbox, tmp_path):
    api.create_repo("alice/versions", "model")
    api.upload_file(repo_id="alice/versions", repo_type="model", path_or_fileobj=b"one", path_in_repo="a.txt")
    api.create_repo_tag("alice/versions", "model", "v1")
    api.upload_file(repo_id="alice/versions", repo_type="model", path_or_fileobj=b"two", path_in_repo="a.txt")
    assert {r["Revision"] for r in api.list_repo_revisions("alice/versions", "model")} == {"master", "v1"}
    for revision, content in (("v1", b"one"), ("master", b"two")):
        path = api.download_file("alice/versions", "model", "a.txt", revision=revision, local_dir=tmp_path / revision)
        assert path.read_bytes() == content
    # As recorded the hub answers 200 and an envelope, which this client takes for the file.
    assert b"10990101007" in api.download_file("alice/versions", "model", "nope.txt", local_dir=tmp_path / "200").read_bytes()
    sandbox.post("/settings", ms_file_404=True)
    with pytest.raises(NotExistError):
        api.download_file("alice/versions", "model", "nope.txt", local_dir=tmp_path / "404")


def test_private_repos_are_for_their_owners(api, sandbox):
    bob = HubApi(endpoint=sandbox.ms, token=sandbox.ms_bob)
    for kind in ("model", "dataset", "studio"):
        api.create_repo(f"acme/hidden-{kind}", kind, visibility="private")
        assert api.get_repo(f"acme/hidden-{kind}", kind).visibility in (1, "private")
        assert not bob.repo_exists(f"acme/hidden-{kind}", kind)
    with pytest.raises(NotExistError):
        bob.list_repo_files("acme/hidden-model", "model")
    with pytest.raises(PermissionDeniedError):
        bob.create_repo("acme/mine", "model")
    api.create_repo("acme/open", "dataset")
    assert [r.repo_id for r in api.list_repos("dataset", owner="acme").items] == ["acme/open"]
    assert {r.repo_id for r in api.list_repos("model", owner="acme").items} == {"acme/hidden-model"}
    both = api.legacy.list_datasets(owner="acme")
    assert both["total_count"] == 2 and {d["Name"] for d in both["items"]} == {"hidden-dataset", "open"}


def test_a_commit_is_taken_whole_or_not_at_all(api, sandbox):
    api.create_repo("alice/strict", "model")
    before = sandbox.stored("ms", "model", "alice/strict")
    good = {"action": "create", "path": "a.txt", "type": "normal", "size": 1, "sha256": "", "content": "YQ==", "encoding": "base64"}
    absent = {**good, "type": "lfs", "sha256": "a" * 64, "content": "", "path": "b.bin"}
    sandbox.post("/settings", ms_checks_blobs=True)
    for actions in ([good, {**good, "path": "../b"}], [good, {**good, "path": "__pycache__/b"}], [good, absent], [good] * 2001):
        with pytest.raises(HubError):
            api.legacy.create_commit("alice/strict", "model", actions, "bad")
    assert sandbox.stored("ms", "model", "alice/strict") == before
    sandbox.post("/settings", ms_checks_blobs=False)
    api.legacy.create_commit("alice/strict", "model", [absent], "the hub does not look")
    assert "b.bin" in sandbox.stored("ms", "model", "alice/strict")


def test_commits_at_once_exclude_each_other(api, sandbox, tmp_path):
    import threading

    api.create_repo("alice/busy", "model")
    sandbox.post("/settings", ms_commit_ms=300)
    action = {"action": "create", "type": "normal", "size": 1, "sha256": "", "content": "YQ==", "encoding": "base64"}
    outcomes = []

    def commit(n):
        try:
            api.legacy.create_commit("alice/busy", "model", [{**action, "path": f"{n}.txt"}], "one of two")
            outcomes.append("taken")
        except HubError as error:
            outcomes.append(error.response_body["Code"])

    threads = [threading.Thread(target=commit, args=(n,)) for n in range(2)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert sorted(map(str, outcomes)) == ["10030000001", "taken"]


def test_the_sdk_tries_again_after_a_conflict(api, sandbox):
    api.create_repo("alice/retry", "model")
    sandbox.fault("ms.commit", "status", status=409, envelope={"code": 10030000001, "message": "branch changed"})
    sandbox.fault("ms_storage.put", "reset", after=20_000)
    upload = {"repo_id": "alice/retry", "repo_type": "model", "path_or_fileobj": b"x" * 100_000, "path_in_repo": "x.bin"}
    with pytest.raises(NetworkError):
        api.upload_file(**upload)
    api.upload_file(**upload)
    assert sandbox.stored("ms", "model", "alice/retry")["x.bin"][0] == sha256(b"x" * 100_000)
    assert sandbox.counted("ms.commit")["statuses"] == {"200": 1, "409": 1}


def test_the_older_sdk_works_too(sandbox, tmp_path):
    from modelscope.hub.api import HubApi as OldApi
    from modelscope.hub.snapshot_download import snapshot_download

    old = OldApi(endpoint=sandbox.ms)
    old.login(sandbox.ms_alice)
    old.create_repo("alice/old", token=sandbox.ms_alice, repo_type="model", exist_ok=True)
    old.create_repo("alice/old", token=sandbox.ms_alice, repo_type="model", exist_ok=True)
    up = make_files(tmp_path / "up", TREE)
    old.upload_folder(repo_id="alice/old", folder_path=str(up), repo_type="model", token=sandbox.ms_alice)
    snapshot_download("alice/old", local_dir=str(tmp_path / "down"), endpoint=sandbox.ms, token=sandbox.ms_alice)
    came = read_files(tmp_path / "down")
    assert {path: came.get(path) for path in TREE} == read_files(up)
    assert old.get_model_branches_and_tags("alice/old")[0] == ["master"]
    assert old.list_models("alice", page_size=50)["TotalCount"] >= 1
