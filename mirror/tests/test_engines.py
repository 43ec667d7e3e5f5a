"""A mirror whose work is done in containers of this machine's Docker, on the host's network: the forge is on its loopback."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from conftest import CANARY, ROOT

STATIC = Path(os.environ.get("HF2MS_STATIC_WORKER", ROOT / "target/static/hf2ms-worker"))


def has_docker():
    try:
        return subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not has_docker() or not STATIC.is_file(), reason="needs Docker and the static worker")
def test_containers_scan_copy_and_push(history):
    world, objects = history
    target = world.target(hook=True)
    docker = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    ran = world.mirror(target, "--on", "docker", "--network", "host", "--containers", "2", HF2MS_STATIC_WORKER=str(STATIC), **docker).ended(0)
    assert ran.report()["moved"] == 3
    world.is_mirrored(target, objects)
    left = subprocess.run(["docker", "ps", "-aq", "--filter", f"label=hf2ms.run={ran.report()['run']}"], capture_output=True, text=True)
    assert left.stdout == ""


@pytest.mark.skipif(not STATIC.is_file(), reason="needs the static worker")
def test_calls_in_the_cloud_scan_copy_and_push(history):
    world, objects = history
    target, python = world.target(hook=True), os.environ.get("HF2MS_PYTHON", sys.executable)
    serve = [python, str(ROOT / "modal/tests/serve.py"), "--hurry", "50"]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as cloud:
        told = json.loads(cloud.stdout.readline())
        env = {"MODAL_SERVER_URL": told["url"], "MODAL_TOKEN_ID": told["token_id"], "MODAL_TOKEN_SECRET": told["token_secret"]}
        flags = ["--on", "modal", "--chunk-size", "0.00003", "--containers", "2"]
        ran = world.mirror(target, *flags, HF2MS_STATIC_WORKER=str(STATIC), HF2MS_PYTHON=python, **env).ended(0)
        state = urllib.request.urlopen(told["admin"] + "/state").read().decode()
        cloud.stdin.close()
    assert ran.report()["moved"] == 3 and CANARY not in state
    called = [call["function"] for call in json.loads(state)["calls"]]
    assert called[0] == called[-1] == "perform" and called.count("run_chunk") >= 2
    world.is_mirrored(target, objects)
