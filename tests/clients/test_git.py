"""The real git and git-lfs clone what the sandbox's hubs hold."""

import hashlib
import os
import shutil
import subprocess

import pytest

ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
needs_git = pytest.mark.skipif(not (shutil.which("git") and shutil.which("git-lfs")), reason="git and git-lfs are not installed")
pytestmark = needs_git


def git(*args, cwd=None, check=True):
    environment = {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1", "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(["git", *args], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, done.stderr
    return done


def address(sandbox, hub, kind, id, user=None, token=None):
    plural = {"model": "" if hub == "hf" else "models/", "dataset": "datasets/"}[kind]
    base = sandbox.hf if hub == "hf" else sandbox.ms
    if user:
        base = base.replace("://", f"://{user}:{token}@")
    return f"{base}/{plural}{id}" + ("" if hub == "hf" else ".git")


def seeded(sandbox, hub, kind, id, **more):
    return sandbox.seed(
        hub, kind, id,
        {"path": ".gitattributes", "text": ATTRIBUTES}, {"path": "README.md", "text": "# Read me\n"},
        {"path": "a/x.txt", "text": "x"}, {"path": "a.b", "text": "between"}, {"path": "a-b/y.txt", "text": ""},
        {"path": "w.bin", "size": 300_000, "seed": 3, "lfs": True}, {"path": "深/ü.txt", "text": "odd"}, **more,
    )


@pytest.mark.parametrize("hub", ["hf", "ms"])
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_clone_has_the_commit_the_api_tells_and_every_byte(sandbox, tmp_path, hub, kind):
    commit = seeded(sandbox, hub, kind, f"alice/{hub}-git-{kind}")
    branch = "main" if hub == "hf" else "master"
    url = address(sandbox, hub, kind, f"alice/{hub}-git-{kind}")
    git("clone", url, str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    assert git("rev-parse", "HEAD", cwd=clone).stdout.strip() == commit
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=clone).stdout.strip() == branch
    assert git("fsck", "--strict", cwd=clone).returncode == 0
    git("lfs", "install", "--local", cwd=clone)
    git("lfs", "pull", cwd=clone)
    assert git("lfs", "fsck", cwd=clone).returncode == 0
    stored = sandbox.stored(hub, kind, f"alice/{hub}-git-{kind}")
    for path, (sha256, size, _) in stored.items():
        content = (clone / path).read_bytes()
        assert len(content) == size
        assert hashlib.sha256(content).hexdigest() == sha256, path


def test_a_fetch_brings_what_came_since(sandbox, tmp_path):
    seeded(sandbox, "hf", "model", "alice/git-grows")
    url = address(sandbox, "hf", "model", "alice/git-grows")
    git("clone", url, str(tmp_path / "clone"))
    second = sandbox.seed("hf", "model", "alice/git-grows", {"path": "new.txt", "text": "new"}, delete=["a.b"])
    clone = tmp_path / "clone"
    git("pull", "--ff-only", cwd=clone)
    assert git("rev-parse", "HEAD", cwd=clone).stdout.strip() == second
    assert (clone / "new.txt").read_text() == "new" and not (clone / "a.b").exists()
    assert len(git("rev-list", "HEAD", cwd=clone).stdout.split()) == 3, "with the empty one that a repo begins with"


def test_a_commit_is_fetched_alone_by_its_id(sandbox, tmp_path):
    first = seeded(sandbox, "hf", "dataset", "alice/git-pinned")
    sandbox.seed("hf", "dataset", "alice/git-pinned", {"path": "new.txt", "text": "new"})
    git("init", "-q", str(tmp_path))
    git("fetch", "--depth", "1", address(sandbox, "hf", "dataset", "alice/git-pinned"), first, cwd=tmp_path)
    assert git("rev-parse", "FETCH_HEAD", cwd=tmp_path).stdout.strip() == first


@pytest.mark.parametrize("hub", ["hf", "ms"])
def test_a_private_repo_wants_its_token_as_the_password(sandbox, tmp_path, hub):
    seeded(sandbox, hub, "model", "alice/git-private", private=True)
    token = sandbox.hf_alice if hub == "hf" else sandbox.ms_alice
    other = sandbox.hf_bob if hub == "hf" else sandbox.ms_bob
    stranger = git("ls-remote", address(sandbox, hub, "model", "alice/git-private"), check=False)
    assert stranger.returncode != 0
    bob = git("ls-remote", address(sandbox, hub, "model", "alice/git-private", "oauth2", other), check=False)
    assert bob.returncode != 0
    git("clone", address(sandbox, hub, "model", "alice/git-private", "oauth2", token), str(tmp_path / "clone"))
    assert (tmp_path / "clone/README.md").exists()


def test_a_repo_whose_storage_is_locked_is_still_cloned(sandbox, tmp_path):
    seeded(sandbox, "hf", "model", "alice/git-locked")
    sandbox.post("/repo", hub="hf", kind="model", id="alice/git-locked", storage_locked="private")
    url = address(sandbox, "hf", "model", "alice/git-locked", "user", sandbox.hf_alice)
    git("clone", url, str(tmp_path / "clone"))
    git("lfs", "install", "--local", cwd=tmp_path / "clone")
    git("lfs", "pull", cwd=tmp_path / "clone")
    assert (tmp_path / "clone/w.bin").stat().st_size == 300_000


def test_symlinks_and_submodules_are_what_they_are(sandbox, tmp_path):
    sandbox.seed(
        "hf", "model", "alice/git-modes", {"path": "link", "text": "README.md", "mode": "symlink"},
        {"path": "sub", "text": "x", "mode": "submodule"}, {"path": "README.md", "text": "#"},
    )
    git("clone", address(sandbox, "hf", "model", "alice/git-modes"), str(tmp_path / "clone"))
    assert os.readlink(tmp_path / "clone/link") == "README.md"
    assert "160000 commit" in git("ls-tree", "HEAD", cwd=tmp_path / "clone").stdout


def test_nobody_pushes_to_a_hub(sandbox, tmp_path):
    seeded(sandbox, "hf", "model", "alice/git-push")
    url = address(sandbox, "hf", "model", "alice/git-push", "user", sandbox.hf_alice)
    git("clone", url, str(tmp_path / "clone"))
    pushed = git("push", "origin", "HEAD:refs/heads/other", cwd=tmp_path / "clone", check=False)
    assert pushed.returncode != 0 and "403" in pushed.stderr


def test_a_branch_of_commits_that_are_there_is_pushed_to_modelscope_and_no_objects(sandbox, tmp_path):
    commit = seeded(sandbox, "ms", "model", "alice/git-branches")
    url = address(sandbox, "ms", "model", "alice/git-branches", "oauth2", sandbox.ms_alice)
    clone = tmp_path / "clone"
    git("clone", url, str(clone))
    git("push", "origin", "HEAD:refs/heads/dev/x", cwd=clone)
    assert sandbox.repo("ms", "model", "alice/git-branches")["branches"] == {"master": commit, "dev/x": commit}
    git("push", "origin", "--delete", "dev/x", cwd=clone)
    assert "dev/x" not in sandbox.repo("ms", "model", "alice/git-branches")["branches"]
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--allow-empty", "-m", "more", cwd=clone)
    assert git("push", "origin", "HEAD:refs/heads/more", cwd=clone, check=False).returncode != 0
    stranger = address(sandbox, "ms", "model", "alice/git-branches", "oauth2", sandbox.ms_bob)
    assert git("push", stranger, "origin/master:refs/heads/theirs", cwd=clone, check=False).returncode != 0
    assert set(sandbox.repo("ms", "model", "alice/git-branches")["branches"]) == {"master"}
