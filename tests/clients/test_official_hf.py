"""Hugging Face's own client against the sandbox."""

import hashlib

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from clients.copies import TREE, make_files, read_files

TREE = {
    "README.md": "---\nlicense: mit\n---\n# hello\n",
    "config.json": '{"a": 1}',
    "empty.txt": "",
    "weights/model.safetensors": 300_000,
    "weights/twin.safetensors": 300_000,
    "data/ünï cödé & more.txt": "text",
    "deep/er/still/notes.txt": "notes" * 1000,
}


@pytest.fixture
def api(sandbox):
    return HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def down(sandbox, token, id, to, **more):
    return snapshot_download(id, endpoint=sandbox.hf, token=token, local_dir=to, max_workers=4, **more)


def test_whoami(api, sandbox):
    me = api.whoami()
    assert me["name"] == "alice" and me["orgs"][0]["name"] == "acme" and me["auth"]["accessToken"]["role"] == "write"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi(endpoint=sandbox.hf, token="hf_nobody").whoami()


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_folder_goes_up_and_comes_down(api, sandbox, tmp_path, kind):
    id = f"alice/round-{kind}"
    url = api.create_repo(id, repo_type=kind, space_sdk="static" if kind == "space" else None)
    assert url.repo_id == id and url.repo_type == kind
    api.create_repo(id, repo_type=kind, space_sdk="static" if kind == "space" else None, exist_ok=True)
    up = make_files(tmp_path / "up", TREE)
    api.upload_folder(repo_id=id, repo_type=kind, folder_path=up)
    files = api.list_repo_files(id, repo_type=kind)
    assert set(files) == {".gitattributes", *TREE}
    down(sandbox, sandbox.hf_alice, id, tmp_path / "down", repo_type=kind)
    came = read_files(tmp_path / "down")
    came.pop(".gitattributes")
    assert came == read_files(up)
    stored = sandbox.stored("hf", kind, id)
    for path, content in read_files(up).items():
        assert stored[path] == (sha256(content), len(content), path.endswith(".safetensors")), path


def test_what_the_listing_says_is_what_git_says(api, tmp_path):
    api.create_repo("alice/listed")
    api.upload_folder(repo_id="alice/listed", folder_path=make_files(tmp_path, TREE))
    tree = {e.path: e for e in api.list_repo_tree("alice/listed", recursive=True)}
    config = tree["config.json"]
    assert config.blob_id == hashlib.sha1(b'blob 8\0{"a": 1}').hexdigest() and config.lfs is None
    weights = tree["weights/model.safetensors"]
    content = (tmp_path / "weights/model.safetensors").read_bytes()
    assert weights.lfs.sha256 == sha256(content) and weights.size == len(content) == weights.lfs.size
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(content)}\nsize {len(content)}\n".encode()
    assert weights.blob_id == hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
    assert weights.lfs.pointer_size == len(pointer)
    assert {p.path for p in api.list_repo_tree("alice/listed", "deep", recursive=True)} == {"deep/er", "deep/er/still", "deep/er/still/notes.txt"}
    assert {p.path for p in api.list_repo_tree("alice/listed")} == {".gitattributes", "README.md", "config.json", "empty.txt", "weights", "data", "deep"}
    assert next(iter(api.list_repo_tree("alice/listed", "config.json".replace("config.json", "data"), expand=True))).last_commit is not None
    info = api.model_info("alice/listed", files_metadata=True)
    assert {s.rfilename: s.size for s in info.siblings}["deep/er/still/notes.txt"] == 5000
    paths = api.get_paths_info("alice/listed", ["config.json", "weights", "nowhere"])
    assert {p.path for p in paths} == {"config.json", "weights"}


def test_unchanged_files_are_not_uploaded_again(api, sandbox, tmp_path):
    api.create_repo("alice/again")
    make_files(tmp_path, TREE)
    api.upload_folder(repo_id="alice/again", folder_path=tmp_path)
    puts = sandbox.counted("hf_storage.put")["requests"]
    (tmp_path / "config.json").write_text('{"a": 2}')
    api.upload_folder(repo_id="alice/again", folder_path=tmp_path)
    assert sandbox.counted("hf_storage.put")["requests"] == puts
    assert len(sandbox.repo("hf", "model", "alice/again")["commits"]) == 3


def test_large_files_go_in_parts(api, sandbox, tmp_path):
    sandbox.post("/settings", hf_multipart_above=1_000_000, hf_part_size=400_000)
    api.create_repo("alice/parts")
    make_files(tmp_path, {"big.bin": 2_100_000})
    api.upload_file(repo_id="alice/parts", path_or_fileobj=tmp_path / "big.bin", path_in_repo="big.bin")
    assert sandbox.counted("hf_storage.put")["statuses"] == {"200": 6}
    assert sandbox.counted("hf.lfs_complete")["requests"] == sandbox.counted("hf.lfs_verify")["requests"] == 1
    assert sandbox.stored("hf", "model", "alice/parts")["big.bin"][0] == sha256((tmp_path / "big.bin").read_bytes())
    sandbox.post("/settings", hf_multipart_above=64 << 20, hf_part_size=16 << 20)


def test_commits_delete_and_branch(api, sandbox, tmp_path):
    api.create_repo("alice/history")
    add = [CommitOperationAdd(path, b"one") for path in ("a.txt", "dir/b.txt", "dir/c.txt")]
    first = api.create_commit("alice/history", add, commit_message="first")
    api.create_tag("alice/history", tag="v1")
    api.create_branch("alice/history", branch="dev/x")
    changes = [CommitOperationDelete("dir/"), CommitOperationAdd("a.txt", b"two")]
    second = api.create_commit("alice/history", changes, commit_message="second", parent_commit=first.oid)
    assert api.list_repo_files("alice/history") == [".gitattributes", "a.txt"]
    assert "dir/b.txt" in api.list_repo_files("alice/history", revision="v1")
    assert "dir/b.txt" in api.list_repo_files("alice/history", revision=first.oid)
    old = api.hf_hub_download("alice/history", "a.txt", revision="dev/x", local_dir=tmp_path / "old")
    new = api.hf_hub_download("alice/history", "a.txt", local_dir=tmp_path / "new")
    assert (open(old).read(), open(new).read()) == ("one", "two")
    refs = api.list_repo_refs("alice/history")
    assert {b.name: b.target_commit for b in refs.branches} == {"main": second.oid, "dev/x": first.oid}
    assert [t.name for t in refs.tags] == ["v1"]
    assert [c.title for c in api.list_repo_commits("alice/history")][:2] == ["second", "first"]
    with pytest.raises(HfHubHTTPError, match="412"):
        late = [CommitOperationAdd("a.txt", b"three")]
        api.create_commit("alice/history", late, commit_message="late", parent_commit=first.oid)
    api.delete_file("a.txt", "alice/history")
    assert api.list_repo_files("alice/history") == [".gitattributes"]
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files("alice/history", revision="nope")
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download("alice/history", "nope.txt")
    api.delete_branch("alice/history", branch="dev/x")
    api.delete_tag("alice/history", tag="v1")
    api.delete_repo("alice/history")
    assert not api.repo_exists("alice/history")


def test_private_repos_are_for_their_owners(sandbox, tmp_path):
    # The client knows the hub's 401 without a code by its address, which begins with https there.
    sandbox.post("/settings", hf_absent_code=True)
    sandbox.seed("hf", "model", "acme/secret", {"path": "a.txt", "text": "x"}, private=True)
    owner, stranger = HfApi(sandbox.hf, sandbox.hf_alice), HfApi(sandbox.hf, sandbox.hf_bob)
    assert owner.model_info("acme/secret").private and owner.auth_check("acme/secret") is None
    for api in (stranger, HfApi(sandbox.hf, False)):
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("acme/secret")
        with pytest.raises(RepositoryNotFoundError):
            api.hf_hub_download("acme/secret", "a.txt", local_dir=tmp_path)
    assert [m.id for m in owner.list_models(author="acme")] == ["acme/secret"]
    assert list(stranger.list_models(author="acme")) == []
    owner.update_repo_settings("acme/secret", private=False)
    assert stranger.model_info("acme/secret").private is False


def test_gated_disabled_and_locked_repos(sandbox, tmp_path):
    sandbox.seed("hf", "model", "alice/gate", {"path": "a.txt", "text": "x"})
    sandbox.post("/repo", hub="hf", kind="model", id="alice/gate", gated="manual")
    bob = HfApi(sandbox.hf, sandbox.hf_bob)
    assert bob.model_info("alice/gate").gated == "manual"
    with pytest.raises(GatedRepoError):
        bob.auth_check("alice/gate")
    with pytest.raises(GatedRepoError):
        bob.hf_hub_download("alice/gate", "a.txt", local_dir=tmp_path)
    sandbox.post("/repo", hub="hf", kind="model", id="alice/gate", granted=["bob"])
    bob.hf_hub_download("alice/gate", "a.txt", local_dir=tmp_path)
    sandbox.post("/repo", hub="hf", kind="model", id="alice/gate", gated=False, storage_locked=True)
    with pytest.raises(HfHubHTTPError, match="storage patterns"):
        bob.model_info("alice/gate")
    sandbox.post("/repo", hub="hf", kind="model", id="alice/gate", storage_locked=None, disabled=True)
    with pytest.raises(DisabledRepoError):
        bob.model_info("alice/gate")


def test_writing_needs_the_right_to(sandbox):
    sandbox.seed("hf", "model", "alice/own", {"path": "a.txt", "text": "x"})
    for token in (sandbox.hf_reader, sandbox.hf_bob):
        api = HfApi(sandbox.hf, token)
        with pytest.raises(HfHubHTTPError, match="403"):
            api.upload_file(repo_id="alice/own", path_or_fileobj=b"y", path_in_repo="b.txt")
        with pytest.raises(HfHubHTTPError, match="403"):
            api.create_repo("alice/new")
        with pytest.raises(HfHubHTTPError, match="403"):
            api.auth_check("alice/own", write=True)


def test_bad_front_matter_is_refused(api):
    api.create_repo("alice/card")
    with pytest.raises(ValueError, match="license"):
        api.upload_file(repo_id="alice/card", path_or_fileobj=b"---\nlicense: nonsense\n---\n", path_in_repo="README.md")


def test_long_listings_come_in_pages(api, sandbox):
    sandbox.seed("hf", "dataset", "alice/many", generate={"count": 2500, "folders": 7, "size": 10, "suffix": ".txt"})
    files = api.list_repo_files("alice/many", repo_type="dataset")
    assert len(files) == len(set(files)) == 2500
    assert sandbox.counted("hf.tree")["requests"] == 3
    for n in range(3):
        sandbox.seed("hf", "space", f"bob/s{n}")
    assert len(list(api.list_spaces(author="bob", limit=2))) == 2
    assert len(list(api.list_spaces(author="bob"))) == 3


def test_a_client_waits_for_its_quota(api, sandbox):
    sandbox.seed("hf", "model", "alice/quota", {"path": "a.txt", "text": "x"})
    sandbox.post("/settings", hf_api_quota=2, quota_window_s=2)
    for _ in range(2):
        api.model_info("alice/quota")
    with pytest.raises(HfHubHTTPError, match="rate limit"):
        api.model_info("alice/quota")
    list(api.list_repo_tree("alice/quota"))
    assert sandbox.counted("hf.tree")["statuses"] == {"200": 1, "429": 1}


def test_whose_token_it_is_has_a_limit_of_its_own(sandbox):
    api = HfApi(sandbox.hf, sandbox.hf_bob)
    sandbox.post("/settings", hf_whoami_quota=3)
    for _ in range(3):
        assert api.whoami()["name"] == "bob"
    with pytest.raises(HfHubHTTPError, match="rate limit for the .whoami-v2"):
        api.whoami()
    api.create_repo("bob/limited")


def test_a_fine_grained_token_may_what_its_permissions_say(sandbox):
    api = HfApi(sandbox.hf, sandbox.hf_fine_grained)
    token = api.whoami()["auth"]["accessToken"]
    permissions = {one["entity"]["name"]: one["permissions"] for one in token["fineGrained"]["scoped"]}
    assert token["role"] == "fineGrained" and "repo.write" in permissions["alice"] and "repo.write" not in permissions["acme"]
    api.create_repo("alice/fine", private=True)
    api.upload_file(path_or_fileobj=b"x" * 2_000_000, path_in_repo="a.safetensors", repo_id="alice/fine")
    assert api.file_exists("alice/fine", "a.safetensors")
    with pytest.raises(HfHubHTTPError, match='rights to create a model under the namespace "acme"'):
        api.create_repo("acme/fine")
    sandbox.seed("hf", "model", "acme/read", {"path": "a.txt", "text": "x"}, private=True)
    assert api.model_info("acme/read").private
    with pytest.raises(HfHubHTTPError, match="create_pr=1"):
        api.upload_file(path_or_fileobj=b"y", path_in_repo="a.txt", repo_id="acme/read")
    sandbox.seed("hf", "model", "bob/gated-fine", {"path": "a.txt", "text": "x"})
    sandbox.post("/repo", hub="hf", kind="model", id="bob/gated-fine", gated=True, granted=["alice"])
    with pytest.raises(LocalEntryNotFoundError) as refused:
        api.hf_hub_download("bob/gated-fine", "a.txt")
    assert "enable access to public gated repositories" in str(refused.value.__cause__)


def test_commits_have_a_quota_that_the_headers_do_not_tell(api, sandbox):
    api.create_repo("alice/often")
    sandbox.post("/settings", hf_commit_quota=1)
    add = lambda content: api.create_commit("alice/often", [CommitOperationAdd("a.txt", content)], commit_message="c")
    add(b"one")
    with pytest.raises(HfHubHTTPError, match="in about 1 hour") as refused:
        add(b"two")
    assert refused.value.response.status_code == 429
    assert int(refused.value.response.headers["ratelimit"].split("r=")[1].split(";")[0]) > 0


def test_small_files_are_redirected_below_the_api(sandbox, tmp_path):
    sandbox.seed("hf", "model", "alice/small", {"path": "a b/c.txt", "text": "x"})
    for cached in (True, False):
        sandbox.post("/settings", hf_resolve_cache=cached)
        HfApi(sandbox.hf, False).hf_hub_download("alice/small", "a b/c.txt", local_dir=tmp_path / str(cached))
        assert (tmp_path / str(cached) / "a b/c.txt").read_text() == "x"
    sandbox.post("/settings", hf_resolve_cache=True)
    statuses = sandbox.counted("hf.resolve")["statuses"]
    assert statuses["307"] > 0 and statuses["200"] > 0 and sandbox.counted("hf.resolve_cache")["statuses"].keys() == {"200"}


def test_faults_reach_the_client(api, sandbox, tmp_path):
    sandbox.seed("hf", "model", "alice/broken", {"path": "w.bin", "size": 3_000_000, "seed": 5})
    sandbox.fault("hf_storage.get", "truncate", after=1_000_000)
    sandbox.fault("hf_storage.get", "truncate", after=500_000, skip=1)
    down(sandbox, sandbox.hf_alice, "alice/broken", tmp_path)
    got = hashlib.sha256((tmp_path / "w.bin").read_bytes()).hexdigest()
    assert got == sandbox.stored("hf", "model", "alice/broken")["w.bin"][0]
    assert [f["fired"] for f in sandbox.ask("GET", "/faults")] == [1, 1]
