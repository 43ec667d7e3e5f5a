"""All branches and tags of a repo, left to a Modal on loopback that really runs the functions; judged by the official client."""

import os
import signal
import subprocess
import sys

import pytest
from modelscope_hub import HubApi

from clients.copies import arrived, read_files
from clients.test_directions import with_history
from programs import HF2MS, STATIC, environment, until
from servers.modal.loopback import Loopback

pytestmark = pytest.mark.skipif(not STATIC.is_file(), reason="needs the static worker")
PYTHON = os.environ.get("HF2MS_PYTHON", sys.executable)


@pytest.fixture
def plane():
    loopback = Loopback("--hurry", "50", python=PYTHON, stderr=subprocess.DEVNULL)
    yield loopback
    loopback.close()


@pytest.fixture
def command(sandbox, plane, tmp_path):
    """`hf2ms` of a user whose Modal this is, as Popen takes it."""
    hubs = {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    cloud = {"HF2MS_STATIC_WORKER": str(STATIC), "HF2MS_PYTHON": PYTHON, "HF2MS_STATE": str(tmp_path / "state")}
    env = environment("HOME", **hubs, **cloud) | plane.environment()
    return lambda *args: {"args": [HF2MS, *args], "env": env, "cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def calls(plane, function):
    return [call for call in plane.state()["calls"] if call["function"] == function]


def test_what_a_killed_controller_left_is_there_for_modelscopes_client_at_each_branch_and_tag(sandbox, plane, command, tmp_path):
    id = "alice/all-revisions-in-the-cloud"
    folders = with_history(sandbox, tmp_path, id)
    sandbox.post("/faults", route="hf_storage.get", kind={"do": "stall", "after": 1000})
    running = subprocess.Popen(**command("migrate", id, "--all-revisions", "--on", "modal", "--containers", "2"))
    until(lambda: calls(plane, "finalize"))
    running.send_signal(signal.SIGKILL)
    running.communicate()
    sandbox.ask("DELETE", "/faults")
    until(lambda: [call["state"] for call in calls(plane, "finalize")] == ["done"])
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    assert {r["Revision"] for r in api.list_repo_revisions(id, "model")} == {"master", "dev/x", "v0.1"}
    for revision, folder in folders.items():
        down = tmp_path / "down" / revision
        api.download_repo(id, "model", revision={"main": "master"}.get(revision, revision), local_dir=down)
        arrived(read_files(down), folder)
    assert not (tmp_path / "down/dev/x/weights.safetensors").exists()
    attached = subprocess.run(**command("attach"), timeout=120)
    assert attached.returncode == 0 and "3 revisions: 3 copied" in attached.stdout, attached.stdout + attached.stderr
