"""What an owner does with a whole repo, by Hugging Face's own client against the sandbox."""

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

KINDS = ["model", "dataset", "space"]


@pytest.fixture
def api(sandbox):
    return HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)


@pytest.fixture
def make(sandbox, request):
    """Makes a repo of its own for a test, and returns its id."""

    def seed(kind, **more):
        id = f"alice/owned-{request.node.name.replace('[', '-').strip(']')}"
        sandbox.seed("hf", kind, id, {"path": "README.md", "text": "# hello"}, **more)
        return id

    return seed


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_repo_is_gone(api, make, kind):
    id = make(kind)
    api.delete_repo(id, repo_type=kind)
    assert not api.repo_exists(id, repo_type=kind)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(id, repo_type=kind)
    api.delete_repo(id, repo_type=kind, missing_ok=True)


def test_a_token_without_the_right_changes_nothing(sandbox, make):
    id = make("model")
    for token in (sandbox.hf_reader, sandbox.hf_bob):
        other = HfApi(endpoint=sandbox.hf, token=token)
        for write in (
            lambda: other.delete_repo(id),
            lambda: other.move_repo(id, "bob/mine"),
            lambda: other.update_repo_settings(id, private=True),
        ):
            with pytest.raises(HfHubHTTPError) as refused:
                write()
            assert refused.value.response.status_code == 403
    assert sandbox.repo("hf", "model", id)["visibility"] == "public"


@pytest.mark.parametrize("kind", KINDS)
def test_a_moved_repo_is_found_by_both_ids(api, make, kind):
    id = make(kind)
    new = f"{id}-new"
    commit = api.repo_info(id, repo_type=kind).sha
    api.move_repo(id, new, repo_type=kind)
    for name in (new, id):
        found = api.repo_info(name, repo_type=kind)
        assert (found.id, found.sha) == (new, commit)
        assert api.list_repo_files(name, repo_type=kind) == ["README.md"]
    api.upload_file(repo_id=new, repo_type=kind, path_or_fileobj=b"more", path_in_repo="more.txt")
    assert len(api.list_repo_commits(new, repo_type=kind)) == len(api.list_repo_commits(id, repo_type=kind))


def test_a_repo_is_not_moved_onto_another_or_to_another_user(api, make, sandbox):
    id = make("model")
    sandbox.seed("hf", "model", f"{id}-taken", {"path": "a", "text": "a"})
    with pytest.raises(HfHubHTTPError, match=r"A model repository called .* already exists"):
        api.move_repo(id, f"{id}-taken")
    with pytest.raises(HfHubHTTPError, match="rights"):
        api.move_repo(id, "bob/hers")
    with pytest.raises(RepositoryNotFoundError):
        api.move_repo("alice/nowhere", "alice/somewhere")
    assert api.repo_info(id).id == id


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_settings_change_who_sees_a_repo(api, make, sandbox, kind):
    id = make(kind)
    stranger = HfApi(endpoint=sandbox.hf, token=sandbox.hf_bob)
    for private in (True, False):
        api.update_repo_settings(id, repo_type=kind, private=private)
        assert api.repo_info(id, repo_type=kind).private == private
        assert stranger.repo_exists(id, repo_type=kind) != private


@pytest.mark.parametrize("kind", KINDS)
def test_discussions_are_listed_on_all_pages(api, make, sandbox, kind):
    id = make(kind)
    sandbox.post("/repo", hub="hf", kind=kind, id=id, discussions=61, pull_requests=4, likes=7)
    threads = list(api.get_repo_discussions(id, repo_type=kind))
    assert [thread.num for thread in threads] == list(range(65, 0, -1))
    assert sum(thread.is_pull_request for thread in threads) == 4
    open_ones = api.get_repo_discussions(id, repo_type=kind, discussion_type="discussion", discussion_status="open")
    assert len(list(open_ones)) == 31
    assert {thread.status for thread in api.get_repo_discussions(id, repo_type=kind, discussion_type="pull_request")} == {"open", "merged"}
    assert api.repo_info(id, repo_type=kind).likes == 7


def test_commits_are_those_of_the_branch(api, make, sandbox):
    id = make("model")
    for number in range(60):
        sandbox.seed("hf", "model", id, {"path": "a.txt", "text": str(number)}, message=f"change {number}")
    sandbox.seed("hf", "model", id, {"path": "b.txt", "text": "b"}, revision="dev", message="of dev\n\nand more")
    commits = api.list_repo_commits(id)
    assert len(commits) == 62 and commits[0].title == "change 59" and commits[-1].title == "initial commit"
    (dev,) = api.list_repo_commits(id, revision="dev", formatted=True)
    assert (dev.title, dev.message, dev.formatted_title) == ("of dev", "and more", "of dev")
