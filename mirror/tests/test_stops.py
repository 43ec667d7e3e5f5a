"""Ctrl-C while a mirror works elsewhere: no container and no call goes on, and the same command finishes."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest

from conftest import BIN, ROOT, until
from test_engines import STATIC, docker, needs_docker
from test_faults import STORAGE


def interrupted(world, target, at, flags, env):
    """Starts a mirror, and ends it by a signal when a request for `at` has come, which waits for that."""
    reached, ended = threading.Event(), threading.Event()

    def hold(seen):
        if at in seen.path and seen.method in ("GET", "POST") and not ended.is_set():
            reached.set()
            ended.wait(120)
        return False

    world.host.rule(hold)
    command = [str(BIN), "mirror", "-s", world.source.url, "-t", target.url, *flags]
    child = subprocess.Popen(command, env=world.environment(**env), cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert reached.wait(120)
    child.send_signal(signal.SIGINT)
    code = child.wait()
    ended.set()
    world.host.rules.clear()
    assert code == 130


@needs_docker
@pytest.mark.parametrize("at", ["git-upload-pack", STORAGE, "git-receive-pack"])
def test_a_signal_leaves_no_container(history, at):
    world, objects = history
    target = world.target(hook=True)
    flags = ["--on", "docker", "--network", "host"]
    env = {"HF2MS_STATIC_WORKER": str(STATIC), **{name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}}
    interrupted(world, target, at, flags, env)
    ours = f"label=hf2ms.controller={(world.folder / 'state/id').read_text()}"
    assert docker("ps", "-aq", "--filter", ours) == ""
    world.mirror(target, *flags, **env).ended(0)
    world.is_mirrored(target, objects)


@pytest.mark.skipif(not STATIC.is_file(), reason="needs the static worker")
@pytest.mark.parametrize("at", ["git-upload-pack", STORAGE])
def test_a_signal_leaves_no_call_running(history, at):
    world, objects = history
    target, python = world.target(hook=True), os.environ.get("HF2MS_PYTHON", sys.executable)
    serve = [python, str(ROOT / "modal/tests/serve.py"), "--hurry", "50"]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as cloud:
        told = json.loads(cloud.stdout.readline())
        env = {"MODAL_SERVER_URL": told["url"], "MODAL_TOKEN_ID": told["token_id"], "MODAL_TOKEN_SECRET": told["token_secret"]}
        env |= {"HF2MS_STATIC_WORKER": str(STATIC), "HF2MS_PYTHON": python}
        flags = ["--on", "modal"]
        interrupted(world, target, at, flags, env)
        calls = lambda: json.load(urllib.request.urlopen(told["admin"] + "/state"))["calls"]
        until(lambda: calls() and all(call["state"] not in ("queued", "running") for call in calls()))
        assert not target.refs()
        world.mirror(target, *flags, **env).ended(0)
        cloud.stdin.close()
    world.is_mirrored(target, objects)
