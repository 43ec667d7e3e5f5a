"""`hf2ms mirror --pull-by gitlab` against GitLab's API as its documentation has it: the project pulls by itself."""

import pytest

from servers.git.gitlab import DEVELOPER, MAINTAINER, READER
from servers.git.host import ALICE
from servers.git.repos import git

DONE = {"update_status": "finished", "last_update_at": "2026-01-01T00:00:09Z", "last_successful_update_at": "2026-01-01T00:00:09Z"}
FAILED = {"update_status": "failed", "last_update_at": "2026-01-01T00:00:09Z", "last_error": f"2:fetch remote: https://alice:{ALICE[1]}@h denied"}


def pull(world, *more, token=MAINTAINER, to="team/model", **env):
    target = f"{world.host.url}/{to}.git"
    return world.run("-s", world.source.url, "-t", target, "--pull-by", "gitlab", *more, GITLAB_API_TOKEN=token, **env)


def test_a_project_is_made_to_pull_and_nothing_passes_here(world):
    gitlab = world.host.gitlab
    project = gitlab.project("team/model")
    pull(world).ended(0, "by itself from now on")
    assert project["mirror"] and project["import_url"] == world.source.url and project["auth"] == ALICE
    assert not any(".git/" in seen.path for seen in world.host.seen)


def test_an_older_gitlab_is_told_by_the_projects_own_settings(world):
    gitlab = world.host.gitlab
    gitlab.route, project = "old", gitlab.project("team/model")
    pull(world).ended(0)
    assert project["mirror"] and project["import_url"] == world.source.url.replace("http://", f"http://{ALICE[0]}:{ALICE[1]}@")


def test_waiting_sees_the_pull_through_and_believes_it_when_the_objects_are_there(history):
    world, objects = history
    target, gitlab = world.target(), world.host.gitlab
    git(target.path, "fetch", "--quiet", str(world.source.path), "+refs/*:refs/*")
    gitlab.project(target.name, state={**DONE, "last_update_at": "2025-01-01T00:00:00Z"})
    gitlab.next_states = [{"update_status": "scheduled"}, {"update_status": "started"}, DONE]
    said = pull(world, "--wait", "--json", to=target.name).ended(1).report()
    assert not gitlab.next_states and said["lacking"] == len(objects) == 3
    gitlab.next_states = [{}, DONE]
    pull(world, "--wait", to=target.name).ended(1, "3 of 3 LFS objects are not there", "--pull-by")
    world.mirror(target).ended(0)
    gitlab.next_states = [{}, DONE]
    pull(world, "--wait", to=target.name).ended(0, "with all 3 LFS objects")


def test_a_pull_that_fails_says_gitlabs_last_error_without_the_password(world):
    gitlab = world.host.gitlab
    gitlab.project("team/model")
    gitlab.next_states = [{"update_status": "started"}, FAILED]
    pull(world, "--wait").ended(1, "could not pull", "denied")


def test_the_project_is_created_private_when_asked(world):
    gitlab = world.host.gitlab
    pull(world).ended(3, "--create-project")
    assert not gitlab.projects
    pull(world, "--create-project").ended(0, "created private project team/model")
    assert gitlab.projects["team/model"]["visibility"] == "private" and gitlab.projects["team/model"]["mirror"]


def test_an_edition_without_mirrors_says_so(world):
    gitlab = world.host.gitlab
    gitlab.edition = "ce"
    gitlab.project("team/model")
    pull(world).ended(3, "Premium")


@pytest.mark.parametrize("token, words", [(DEVELOPER, "maintainer's role"), (READER, "maintainer's role"), ("glpat-none", "scope api")])
def test_a_role_or_token_that_is_not_enough_says_what_is(world, token, words):
    world.host.gitlab.project("team/model")
    pull(world, token=token).ended(3, words)


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_what_may_pass_at_gitlab_is_tried_again(world, status):
    project = world.host.gitlab.project("team/model")
    world.host.rule(lambda seen: "/api/v4/" in seen.path, lambda seen: (status, [("Retry-After", "1")], b""), times=2)
    pull(world).ended(0, "by itself from now on")
    assert project["mirror"]


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[" * 100_000, b"{}"])
def test_an_answer_of_gitlab_that_is_none_is_one_line(world, body):
    world.host.gitlab.project("team/model")
    world.host.rule(lambda seen: "/api/v4/" in seen.path, lambda seen: ("200 OK", [("Content-Type", "text/html")], body))
    ran = pull(world)
    assert ran.code in (1, 3) and ran.stderr.count("error: ") == 1 and len(ran.stderr) < 1000, ran.stderr


def test_the_old_settings_name_the_project_and_the_target_token_serves(world):
    gitlab = world.host.gitlab
    project = gitlab.project("team/other")
    settings = world.folder / "my.env"
    settings.write_text(
        f"MIRROR_PLATFORM=gitlab\nGITLAB_API_BASE={world.host.url}/api/v4\nGITLAB_PROJECT_PATH=team/other\nTARGET_TOKEN={MAINTAINER}\n"
    )
    args = ["-s", world.source.url, "-t", f"{world.host.url}/team/model.git", "--use-remote-mirror", "--env-file", str(settings)]
    world.run(*args, TARGET_TOKEN=None).ended(0)
    assert project["mirror"]
    world.run(*args, TARGET_TOKEN=None, MIRROR_PLATFORM="gitea").ended(2, "only gitlab")
    world.run(*args, TARGET_TOKEN=None, GITLAB_API_BASE=f"{world.host.other}/api/v4").ended(2, "GITLAB_API_TOKEN")
