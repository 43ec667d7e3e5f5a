"""ModelScope as the source and as the target of a mirror: its edge answers Git's addresses only to who begins to name itself `git/`."""

import hashlib

import pytest

from mirrors.hub import Hub
from servers.git.host import ALICE

ID, TOKEN = "alice/mirrored", "ms-sandbox-alice-write"
OWN = {"SOURCE_USERNAME": None, "SOURCE_TOKEN": None, "TARGET_USERNAME": None, "TARGET_TOKEN": None}


@pytest.fixture
def hub(tmp_path):
    with Hub(tmp_path / "hub", ms_git_agent=True) as hub:
        yield hub


def loop(_):
    return "421 Misdirected Request", [("Content-Type", "application/json")], b'{"message":"mirror self-forwarded loop detected"}'


def test_a_model_is_mirrored_from_modelscope(world, hub):
    files = [{"path": "README.md", "text": "# A\n"}, {"path": "w.bin", "text": "heavy", "lfs": True}]
    first = hub.seed("ms", "model", ID, *files, tags=["v1"])
    head = hub.seed("ms", "model", ID, {"path": "new.txt", "text": "n"})
    target = world.target()
    mine = OWN | {"MODELSCOPE_ENDPOINT": hub.ms, "MODELSCOPE_TOKEN": TOKEN, "TARGET_USERNAME": ALICE[0], "TARGET_TOKEN": ALICE[1]}
    world.run("-s", f"ms:{ID}", "-t", target.url, "--json", **mine).ended(0)
    assert target.refs() == {"refs/heads/master": head, "refs/tags/v1": first}
    assert target.objects() == {hashlib.sha256(b"heavy").hexdigest()}
    hub.post("/settings", ms_git_agent=False)
    world.run("-s", f"ms:{ID}", "-t", target.url, "--json", **mine).ended(0)


def test_a_mirror_to_modelscope_is_let_in(world):
    world.source.commit("refs/heads/main", {"a.txt": b"a"}).flush()
    target = type(world.source).new(world.host, f"models/alice/to{world.number}")
    world.host.rule(lambda seen: target.name in seen.path and not seen.agent.startswith("git/"), loop)
    mine = OWN | {"MODELSCOPE_ENDPOINT": world.host.other, "MODELSCOPE_TOKEN": ALICE[1], "SOURCE_USERNAME": ALICE[0], "SOURCE_TOKEN": ALICE[1]}
    world.run("-s", world.source.url, "-t", f"ms:alice/to{world.number}", "--json", **mine).ended(0)
    assert target.refs() == world.source.refs()
    agents = {seen.agent for seen in world.host.seen if target.name in seen.path}
    assert agents and all(agent.startswith("git/") for agent in agents), agents
