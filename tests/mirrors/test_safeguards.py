"""What a mirror does not do unless told to: wipe its target for an empty source, replace an unrelated target, or drop what was pushed
to the target while it ran."""

import random

import pytest

from mirrors.answers import first_pushed, transfer_of
from servers.git.repos import Lfs, git


@pytest.fixture
def mirrored(history):
    """A world whose target is a mirror already."""
    world, objects = history
    target = world.target(hook=True)
    world.mirror(target).ended(0)
    return world, target, objects


def emptied(repo):
    for name in repo.refs():
        git(repo.path, "update-ref", "-d", name)


@pytest.mark.parametrize("flags", [[], ["--mirror"]])
def test_a_source_that_lost_its_refs_wipes_nothing(mirrored, flags):
    world, target, _ = mirrored
    stood = target.refs()
    emptied(world.source)
    ran = world.mirror(target, *flags).ended(3, "has no branch or tag", "--allow-empty-source")
    assert target.refs() == stood and len(ran.events()) == 0 or ran.events()[-1]["event"] != "report"
    world.mirror(target, "--mirror", "--dry-run").ended(3, "--allow-empty-source")
    # The branch of its HEAD stays, whatever is asked.
    world.mirror(target, "--mirror", "--allow-empty-source").ended(0)
    assert set(target.refs()) <= {"refs/heads/main"}


@pytest.mark.parametrize("flags", [[], ["--mirror"]])
def test_a_target_of_another_history_is_replaced_only_when_told_to(history, flags):
    world, objects = history
    target = world.target(hook=True)
    target.commit("refs/heads/main", {"theirs.txt": b"theirs", "README.md": b"# Theirs\n"}).flush()
    stood = target.refs()
    ran = world.mirror(target, *flags).ended(3, "nothing in common", "--allow-unrelated")
    assert target.refs() == stood and not first_pushed(world) and not world.host.transfers()
    assert ran.stderr.count("\n") <= 2
    world.mirror(target, *flags, "--allow-unrelated").ended(0)
    world.is_mirrored(target, objects)


def test_a_hosts_own_first_commits_are_an_empty_target(history):
    world, objects = history
    target = world.target(hook=True)
    target.commit("refs/heads/main", {"README.md": b"# New\n", "LICENSE": b"MIT", ".gitignore": b""}, "Initial commit")
    target.commit("refs/heads/main", {".gitattributes": b"*.bin filter=lfs\n", "configuration.json": b"{}"}, "System init").flush()
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_a_rewritten_source_of_one_branch_is_still_related(world):
    target = world.target()
    world.source.commit("refs/heads/main", {"a": b"1"}, "one").commit("refs/heads/main", {"a": b"2"}, "two").flush()
    world.mirror(target).ended(0)
    world.source.commit("refs/heads/main", {"a": b"3"}, "amended", parent="refs/heads/main~1").flush()
    world.mirror(target).ended(0)
    assert target.refs() == world.source.refs()


def pushed_meanwhile(world, target, at):
    """Someone pushes to the target's main once, when a request for this comes."""
    target.commit("refs/heads/theirs", {"theirs.txt": b"theirs"}, parent="refs/heads/main").flush()
    theirs = target.refs()["refs/heads/theirs"]
    done = []

    def push(seen):
        if at(seen) and not done:
            done.append(seen)
            target.ref("refs/heads/main", theirs)
        return False

    world.host.rule(push)
    return theirs


def of_push(target):
    return lambda seen: seen.method == "POST" and seen.path == f"/{target.name}.git/git-receive-pack"


@pytest.mark.parametrize("when", ["transfer", "push"])
@pytest.mark.parametrize("flags", [[], ["--mirror"], ["--no-force"]])
def test_what_was_pushed_to_the_target_meanwhile_stays_and_is_named(mirrored, when, flags):
    world, target, _ = mirrored
    world.source.commit("refs/heads/main", {"w.bin": Lfs(b"third" * 99)}, "third", parent="refs/heads/main")
    world.source.commit("refs/heads/new", {"n.txt": b"n"}, parent="refs/heads/main").flush()
    at = of_push(target) if when == "push" else transfer_of(world.source.name, "GET")
    theirs = pushed_meanwhile(world, target, at)
    ran = world.mirror(target, *flags).ended(1, "conflict")
    assert target.refs()["refs/heads/main"] == theirs
    assert (ran.refs()["refs/heads/main"], ran.refs()["refs/heads/new"]) == ("refused", "pushed")


def test_overwrite_drops_it(mirrored):
    world, target, objects = mirrored
    third = Lfs(b"third" * 99)
    world.source.commit("refs/heads/main", {"w.bin": third}, "third", parent="refs/heads/main").flush()
    pushed_meanwhile(world, target, transfer_of(world.source.name, "GET"))
    world.mirror(target, "--overwrite").ended(0)
    assert target.refs()["refs/heads/main"] == world.source.refs()["refs/heads/main"]


def declining(target, pattern):
    """A hook that refuses a whole push for a ref of this name."""
    hooks = target.path / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-receive").write_text(f"#!/bin/sh\nif grep -q '{pattern}'; then echo 'GL-HOOK: not these'; exit 1; fi\n")
    (hooks / "pre-receive").chmod(0o755)
    return target


def of_many_branches(world, count):
    """A source whose branches all lead to one large commit, and add little each."""
    world.source.commit("refs/heads/main", {"base.dat": random.Random(7).randbytes(100_000)}, "base").flush()
    for number in range(count - 1):
        world.source.commit(f"refs/heads/b{number:02}", {f"{number}.txt": b"x"}, parent="refs/heads/main")
    world.source.flush()


def test_a_hook_that_declines_everything_costs_four_packs_at_most(world):
    of_many_branches(world, 25)
    target = declining(world.target(), "refs/heads/")
    ran = world.mirror(target).ended(1, "GL-HOOK: not these")
    assert set(ran.refs().values()) == {"refused"} and len(ran.refs()) == 25
    assert all("GL-HOOK: not these" in ref["why"] for ref in ran.report()["refs"])
    assert len(first_pushed(world)) <= 4


def test_a_hook_that_declines_one_ref_is_found_out_within_sixteen_pushes(world):
    of_many_branches(world, 25)
    target = declining(world.target(), "refs/heads/b13$")
    ran = world.mirror(target).ended(1, "GL-HOOK: not these")
    refused = [name for name, state in ran.refs().items() if state == "refused"]
    assert refused == ["refs/heads/b13"] and len(first_pushed(world)) <= 16
