"""What real Git hosts were recorded to answer, and what repos hold that are not written by the book: through `hf2ms mirror`, judged by
git and git-lfs."""

import subprocess

import pytest

from mirrors.answers import first_pushed
from mirrors.world import CLEAN
from servers.git.repos import Lfs, git


def hook(target, name, script):
    path = target.path / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def reasons(ran):
    return {ref["name"]: ref.get("why") for ref in ran.report()["refs"] if ref["state"] == "refused"}


# LFS answers


def test_other_forms_of_the_same_answers_are_taken_too(history):
    world, objects = history
    target = world.target(hook=True)
    form = world.host.form
    form.chunked, form.verify_accept, form.named, form.git_agents = False, False, True, False
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_a_repo_over_its_limit_is_said_in_the_hosts_words_before_any_byte_moves(history):
    world, _ = history
    words = "Your push to this repository has been rejected because the namespace storage limit of 10 MB has been reached."
    world.host.form.full = words
    ran = world.run("-s", world.source.url, "-t", world.target().url).ended(3, words)
    assert ran.stderr.count("error: ") == 1 and not world.host.transfers() and not first_pushed(world)


def test_objects_that_the_host_does_not_find_yet_are_given_a_moment_once(history):
    world, objects = history
    target = world.target(hook=True)
    world.host.form.late = 1
    world.mirror(target).ended(0)
    assert len(first_pushed(world)) == 2
    world.is_mirrored(target, objects)


# Pushes


@pytest.mark.parametrize("status", ["411 Length Required", "400 Bad Request", "501 Not Implemented"])
def test_a_small_push_has_a_length(history, status):
    world, objects = history
    target = world.target(hook=True)
    world.host.form.unsized = status
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


@pytest.mark.parametrize("name, script", [
    ("update", '[ "$1" != refs/heads/dev/x ] || { echo "dev/x is locked: unblock it first"; exit 1; }'),
    ("pre-receive", '! grep -q refs/heads/dev/x || { echo "dev/x is locked: unblock it first"; exit 1; }'),
])
def test_a_hooks_refusal_is_final_and_said_in_its_words_and_the_others_go_on(history, name, script):
    world, _ = history
    target = world.target()
    hook(target, name, script)
    ran = world.mirror(target).ended(1)
    assert set(reasons(ran)) == {"refs/heads/dev/x"} and "dev/x is locked: unblock it first" in reasons(ran)["refs/heads/dev/x"]
    assert set(target.refs()) == set(world.source.refs()) - {"refs/heads/dev/x"}
    assert len(first_pushed(world)) == {"update": 1, "pre-receive": 5}[name]


def test_a_pack_that_the_host_refuses_costs_only_the_branch_that_has_the_bad_object(history):
    world, objects = history
    target = world.target(hook=True).config("receive.fsckObjects", "true")
    blob = git(world.source.path, "hash-object", "-w", "--stdin", input="x").strip()
    tree = git(world.source.path, "mktree", input=f"100644 blob {blob}\t.git\n").strip()
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    world.source.ref("refs/heads/bad", git(world.source.path, *who, "commit-tree", "-m", "bad", "-p", "main", tree).strip())
    ran = world.mirror(target).ended(1)
    assert set(reasons(ran)) == {"refs/heads/bad"} and "hasDotgit" in reasons(ran)["refs/heads/bad"]
    expected = {name: oid for name, oid in world.source.refs().items() if name != "refs/heads/bad"}
    world.is_mirrored(target, objects, expected)


# What a repo holds


def test_what_git_lfs_takes_for_a_pointer_is_one(world):
    target, contents = world.target(), [Lfs(text * 100) for text in (b"crlf", b"bare", b"old", b"ext", b"space")]
    crlf, bare, old, ext, space = (lfs.pointer() for lfs in contents)
    forms = {
        "crlf.bin": crlf.replace(b"\n", b"\r\n"),
        "bare.bin": bare.rstrip(),
        "old.bin": old.replace(b"https://git-lfs.github.com/spec/v1", b"http://git-media.io/v/2"),
        "ext.bin": ext.replace(b"oid ", b"ext-0-x sha256:" + b"0" * 64 + b"\noid "),
        "space.bin": b"\n" + space + b"\n\n",
    }
    for lfs in contents:
        world.source.put(lfs)
    world.source.commit("refs/heads/main", forms).flush()
    world.mirror(target).ended(0)
    assert target.objects() == {lfs.oid for lfs in contents}
    # git-lfs itself finds these and no others, and gets them from the target.
    env = {**CLEAN, "HOME": str(world.folder)}
    url = target.url.replace("http://", "http://alice:glpat-alice-canary@")
    git(world.folder, "clone", "--quiet", url, "c", env=env)
    git(world.folder / "c", "lfs", "fetch", "--all", env=env)
    listed = git(world.folder / "c", "lfs", "ls-files", "--all", "--long", env=env)
    assert {line.split(" ")[0] for line in listed.splitlines()} == target.objects()


def test_names_that_are_not_utf8_are_refused_by_name_and_the_others_go_on(world):
    target = world.target()
    world.source.commit("refs/heads/main", {"a": b"a"}).flush()
    for name in (b"refs/heads/caf\xe9", b"refs/heads/caf\xe8"):
        subprocess.run([b"git", b"-C", str(world.source.path).encode(), b"update-ref", name, b"refs/heads/main"], check=True)
    ran = world.mirror(target).ended(1)
    why = "its name is not UTF-8, and such a name is not written: rename it"
    assert reasons(ran) == {"refs/heads/caf\\xe8": why, "refs/heads/caf\\xe9": why}
    assert list(target.refs()) == ["refs/heads/main"]


@pytest.mark.parametrize("words", ["is a shallow clone", "object ids are of sha256"])
def test_a_source_that_is_not_whole_or_of_another_hash_is_named_as_that(history, words):
    world, _ = history
    name = f"odd{world.number}/model"
    path = world.host.root / f"{name}.git"
    if "shallow" in words:
        git(world.folder, "clone", "--quiet", "--bare", "--depth=1", f"file://{world.source.path}", str(path))
    else:
        path.parent.mkdir()
        git(world.folder, "init", "--quiet", "--bare", "--object-format=sha256", str(path))
    ran = world.run("-s", f"{world.host.url}/{name}.git", "-t", world.target().url).ended(3, words)
    assert ran.stderr.count("error: ") == 1 and ran.stderr.count("\n") <= 2, ran.stderr
