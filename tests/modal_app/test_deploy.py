"""The app as Modal's own command deploys it, and what it asks Modal for."""

import json
import subprocess
import sys

import pytest

from modal_app.drive import App, MODAL, event, receipt, script, settings
from programs import ROOT


def modal(plane, home, *arguments, **environment):
    """Runs the unmodified `modal` command."""
    command = [sys.executable, "-m", "modal", *arguments]
    return subprocess.run(command, env=settings(plane, home, **environment), cwd=ROOT, text=True, capture_output=True, timeout=60)


def test_the_modal_command_deploys_the_app_and_lists_and_stops_it(plane, bridge, home, tmp_path):
    config = {"app": "hf2ms-by-hand", "worker": str(script(tmp_path, receipt("a"))), "containers": 7}
    ran = modal(plane, home, "deploy", str(MODAL / "app.py"), HF2MS_MODAL_CONFIG=json.dumps(config))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    call = bridge.ok("submit", app="hf2ms-by-hand", function="run_chunk", job={"run": "r", "chunk": 0})["call"]
    assert bridge.ok("poll", call=call, wait=50)["result"]["exit"] == 0
    listed = modal(plane, home, "app", "list", "--json")
    assert "hf2ms-by-hand" in [app["description"] for app in json.loads(listed.stdout)], listed.stdout + listed.stderr
    assert modal(plane, home, "app", "stop", "--yes", "hf2ms-by-hand").returncode == 0
    assert "hf2ms-by-hand" not in plane.state()["apps"]


@pytest.fixture
def functions(bridge, plane, tmp_path):
    app = App(bridge, script(tmp_path, receipt()), containers=7)
    return {of["functionName"]: of for of in plane.ask("GET", "/functions")[app.name]}


def test_chunks_get_what_they_were_promised_and_no_more(functions):
    chunk = functions["run_chunk"]
    assert chunk["autoscalerSettings"]["maxContainers"] == 7 and chunk["timeoutSecs"] == 86400
    assert (chunk["resources"]["milliCpu"], chunk["resources"]["milliCpuMax"]) == (1000, 4000)
    assert (chunk["resources"]["memoryMb"], chunk["resources"]["memoryMbMax"]) == (512, 1024)
    assert chunk["retryPolicy"]["retries"] == 2


def test_the_finalizer_gets_the_memory_that_the_deployer_says(functions, bridge, plane, tmp_path):
    memory = lambda of: (of["finalize"]["resources"]["memoryMb"], of["finalize"]["resources"]["memoryMbMax"])
    assert memory(functions) == (256, 4096)
    app = App(bridge, script(tmp_path, receipt()), finalizer=[2048, 8192])
    assert memory({of["functionName"]: of for of in plane.ask("GET", "/functions")[app.name]}) == (2048, 8192)


def test_nothing_is_asked_for_that_costs_without_need(functions):
    for of in functions.values():
        assert "ephemeralDiskMb" not in of["resources"] and not of["resources"]["gpuConfig"]
        assert not of.get("schedulerPlacement", {}).get("regions") and "warmPoolSize" not in of
    assert functions["mirror"]["resources"]["milliCpu"] == 250 and functions["mirror"]["timeoutSecs"] == 86400
    assert functions["finalize"]["resources"]["milliCpu"] == 125 and functions["finalize"]["timeoutSecs"] == 86400


def test_a_container_finds_no_local_file_and_no_setting_of_the_deployers(bridge, tmp_path):
    checked = event("checked", version="0", endpoints=[])
    app = App(bridge, script(tmp_path, f"printenv | grep -c HF2MS_MODAL_CONFIG >&2; {checked}"))
    assert app.done(app.submit("check", []))["log"] == "0"
