"""A whole run through the loopback Modal with the real worker: blobs move between the sandbox's hubs in containers, and
`finalize` commits and compares."""

import json
import os
import subprocess

import pytest

from modal_app.drive import App, Bridge, settings
from programs import HF2MS

RUN = "01JRUN"


@pytest.fixture
def tokens(sandbox):
    return {"HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_TOKEN": sandbox.ms_alice, "HF2MS_RETRY_BASE": "0.01"}


@pytest.fixture
def endpoints(sandbox):
    """Where the tokens may go: containers get these variables, and send a token nowhere else."""
    return {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms}


@pytest.fixture
def cloud(plane, home, worker, tokens, endpoints):
    """An app with the real worker, deployed by a bridge that has the hubs' tokens."""
    bridge = Bridge(settings(plane, home, **tokens))
    yield App(bridge, worker, variables=endpoints)
    assert bridge.close() == 0 and bridge.log == []


@pytest.fixture
def plan(sandbox, home, tokens, endpoints, tmp_path):
    """Plans `alice/NAME`, which has three blobs and a small file, in chunks of one blob."""

    def make(name):
        blobs = [{"path": f"w-{n}.safetensors", "size": 300_000 + n, "seed": n} for n in range(3)]
        sandbox.seed("hf", "model", f"alice/{name}", *blobs, {"path": "README.md", "text": "# W\n"})
        sandbox.seed("ms", "model", f"alice/{name}", {"path": "old.txt", "text": "old"})
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), **tokens, **endpoints, "HF2MS_STATE": str(tmp_path)}
        command = [HF2MS, "plan", f"hf:alice/{name}", "--to", "ms", "--chunk-size", "0.0003"]
        return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout)

    return make


def chunks_of(plan):
    """The plan's chunks, as a controller gives them to workers."""
    ends = {side: plan[side] for side in ("source", "destination")}
    known = ("path", "size", "sha256", "git_sha1")
    for number, indices in enumerate(plan["chunks"]):
        files = [{key: plan["files"][index][key] for key in known if key in plan["files"][index]} for index in indices]
        yield {"version": 1, "run": RUN, "chunk": number, "chunks": len(plan["chunks"]), **ends, "files": files}


def submitted(app, plan):
    return {str(job["chunk"]): app.submit("run_chunk", job) for job in chunks_of(plan)}


def finalized(app, plan, calls):
    job = {"version": 1, "run": RUN, "plan": plan, "look": True}
    return app.done(app.submit("finalize", {"calls": calls, "job": job}))


def is_copied(sandbox, name):
    here, there = (sandbox.stored(hub, "model", f"alice/{name}") for hub in ("hf", "ms"))
    return all(there.get(path, ())[:2] == of[:2] for path, of in here.items())


def test_a_run_moves_commits_and_verifies(cloud, plan, sandbox):
    made = plan("moved")
    calls = submitted(cloud, made)
    assert len(calls) == 3
    envelope = finalized(cloud, made, calls)
    assert envelope["exit"] == 0, envelope
    assert is_copied(sandbox, "moved")
    verified = [event for event in envelope["events"] if event["event"] == "verified"]
    assert verified[0]["equal"] == 4


def test_killed_preempted_and_doubled_containers_move_the_same_bytes(cloud, plan, sandbox, plane):
    made = plan("shaken")
    for how in ("kill", "preempt"):
        plane.fault(how, function="run_chunk", line='"started"')
    plane.fault("twice", function="run_chunk")
    envelope = finalized(cloud, made, submitted(cloud, made))
    assert envelope["exit"] == 0, envelope
    assert is_copied(sandbox, "shaken")
    assert {rule["struck"] for rule in plane.state()["faults"]} == {1}


def test_a_second_finalizer_finds_it_done(cloud, plan, sandbox):
    made = plan("twice")
    calls = submitted(cloud, made)
    commits = [sum(event["event"] == "committed" for event in finalized(cloud, made, calls)["events"]) for _ in range(2)]
    assert commits[0] > 0 and commits[1] == 0
    assert is_copied(sandbox, "twice")


def test_a_refused_token_ends_the_run_with_its_reason(plane, home, worker, sandbox, plan, tokens, endpoints):
    made = plan("refused")
    bridge = Bridge(settings(plane, home, **{**tokens, "MODELSCOPE_TOKEN": "ms-nobody"}))
    app = App(bridge, worker, variables=endpoints)
    envelope = finalized(app, made, submitted(app, made))
    assert 3 in [chunk.get("exit") for chunk in envelope["chunks"].values()] and envelope["exit"] == 3, envelope
    assert not is_copied(sandbox, "refused")
    assert bridge.close() == 0


def test_check_reaches_the_hubs_from_a_container(cloud, sandbox):
    envelope = cloud.done(cloud.submit("check", [sandbox.hf, sandbox.ms]))
    assert envelope["exit"] == 0 and all(endpoint["ok"] for endpoint in envelope["events"][0]["endpoints"])
