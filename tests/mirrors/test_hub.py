"""Hugging Face as the target of a mirror: large LFS objects go there in parts, each repeated alone, and a wrong one is never completed."""

import random

import pytest

from mirrors.hub import Hub
from servers.git.host import ALICE
from servers.git.repos import Lfs

PART = 65_536
LARGE = Lfs(random.Random(7).randbytes(10 * PART + 1))


@pytest.fixture
def hub(tmp_path):
    with Hub(tmp_path / "hub", hf_multipart_above=PART, hf_part_size=PART) as hub:
        yield hub


@pytest.fixture
def large(history, hub):
    """A world whose source has one large object more, and a target on Hugging Face."""
    world, objects = history
    world.source.commit("refs/heads/main", {"large.bin": LARGE}, parent="refs/heads/main").flush()
    target = world.target()
    world.host.lfs_at[target.name] = hub
    return world, target, hub, objects


def mirror(world, target):
    mine = {"HF_ENDPOINT": world.host.url, "HF_USERNAME": ALICE[0], "HF_TOKEN": ALICE[1], "TARGET_USERNAME": None, "TARGET_TOKEN": None}
    return world.run("-s", world.source.url, "-t", f"hf:{target.name}", "--json", **mine)


def has_all(world, target):
    """Every ref, and every object as the real clients find it."""
    assert target.refs() == world.source.refs()
    clone = world.clone(target)
    assert (clone / "large.bin").read_bytes() == LARGE.content


def test_an_object_above_the_size_of_a_part_goes_in_parts(large):
    world, target, hub, _ = large
    ran = mirror(world, target).ended(0)
    assert ran.report()["moved"] == 4
    assert hub.succeeded("hf_storage.put") == (3 + 11, 3 + 11) and hub.succeeded("hf.lfs_complete") == (1, 1)
    has_all(world, target)


def test_a_part_that_breaks_is_sent_again_alone(large):
    world, target, hub, _ = large
    hub.fault("hf_storage.put", "reset", after=PART // 2, path="/parts/")
    mirror(world, target).ended(0)
    assert hub.succeeded("hf_storage.put") == (3 + 12, 3 + 11) and hub.succeeded("hf.lfs_complete") == (1, 1)
    has_all(world, target)


def test_a_wrong_byte_in_a_part_completes_nothing_and_holds_its_ref_back(large):
    world, target, hub, _ = large
    stored = world.host.store / world.source.name / LARGE.oid
    stored.write_bytes(LARGE.content[:-1] + bytes([LARGE.content[-1] ^ 1]))
    ran = mirror(world, target).ended(4, "large.bin")
    assert hub.succeeded("hf.lfs_complete") == (0, 0)
    assert ran.refs()["refs/heads/main"] == "refused" and ran.refs()["refs/heads/dev/x"] == "pushed"
    stored.write_bytes(LARGE.content)
    mirror(world, target).ended(0)
    has_all(world, target)


def test_an_object_whose_completion_has_no_answer_is_found_stored_and_not_sent_again(large):
    world, target, hub, _ = large
    hub.fault("hf.lfs_complete", "lose_answer")
    mirror(world, target).ended(0)
    assert hub.succeeded("hf_storage.put") == (3 + 11, 3 + 11)
    has_all(world, target)
