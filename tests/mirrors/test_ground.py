"""The ground that the other tests stand on, judged by the real clients alone."""

import subprocess

import pytest

from mirrors.world import CLEAN
from servers.git.host import ALICE, RITA
from servers.git.repos import Lfs, git


def push(world, clone, target, *args, who=ALICE):
    url = target.url.replace("http://", f"http://{who[0]}:{who[1]}@")
    env = {**CLEAN, "HOME": str(clone.parent)}
    return subprocess.run(["git", "-C", str(clone), "push", url, *args], env=env, capture_output=True, text=True)


def test_the_real_clients_clone_and_push_with_lfs(history):
    world, objects = history
    clone, target = world.clone(world.source), world.target(hook=True)
    assert (clone / "w.bin").read_bytes() == b"second weights" * 2000
    git(clone, "checkout", "--quiet", "-b", "dev/x", "origin/dev/x", env={**CLEAN, "HOME": str(clone.parent), "GIT_LFS_SKIP_SMUDGE": "1"})
    pushed = push(world, clone, target, "main", "dev/x", "--tags")
    assert pushed.returncode == 0, pushed.stderr
    world.is_mirrored(target, objects)


def test_the_hook_refuses_as_gitlab_does(history):
    world, _ = history
    clone, target = world.clone(world.source), world.target(hook=True).config("forge.protected", "main")
    without = push(world, clone, target, "--no-verify", "main")
    assert "LFS objects are missing" in without.stderr and not target.refs()
    for oid in world.source.objects():
        target.put(Lfs((world.host.store / world.source.name / oid).read_bytes()))
    assert push(world, clone, target, "--no-verify", "main").returncode == 0
    assert "only push to branches and tags" in push(world, clone, target, "--no-verify", "main:refs/pr/1").stderr
    assert "force push" in push(world, clone, target, "--no-verify", "--force", "main~1:main").stderr
    assert "403" in push(world, clone, target, "main", who=RITA).stderr


@pytest.mark.parametrize("path", ["/x/y.git/info/refs?service=git-upload-pack", "/x/y.git/info/lfs/objects/batch"])
def test_nobody_comes_in_without_a_password(world, path):
    import urllib.error
    import urllib.request

    # A web client is turned away before it is asked for a password.
    for agent, status in [("git/2.47.0", 401), ("curl/8.5.0", 421)]:
        asked = urllib.request.Request(world.host.url + path, data=b"{}" if "batch" in path else None, headers={"User-Agent": agent})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(asked)
        assert error.value.code == status
