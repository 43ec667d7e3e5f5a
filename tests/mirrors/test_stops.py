"""Ctrl-C while a mirror works in containers: none goes on, and the same command finishes."""

import os
import signal
import subprocess
import threading

import pytest

from mirrors.answers import STORAGE
from mirrors.docker import docker, needs_docker
from programs import HF2MS, STATIC


def interrupted(world, target, at, flags, env):
    """Starts a mirror, and ends it by a signal when a request for `at` has come, which waits for that."""
    reached, ended = threading.Event(), threading.Event()

    def hold(seen):
        if at in seen.path and seen.method in ("GET", "POST") and not ended.is_set():
            reached.set()
            ended.wait(120)
        return False

    world.host.rule(hold)
    command = [str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url, *flags]
    child = subprocess.Popen(command, env=world.environment(**env), cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert reached.wait(120)
    child.send_signal(signal.SIGINT)
    code = child.wait()
    ended.set()
    world.host.rules.clear()
    assert code == 130


def test_under_nohup_a_terminal_that_goes_away_ends_nothing(history):
    world, objects = history
    target, reached, ended = world.target(hook=True), threading.Event(), threading.Event()

    def hold(seen):
        if STORAGE in seen.path:
            reached.set()
            ended.wait(120)
        return False

    world.host.rule(hold)
    command = ["nohup", str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    child = subprocess.Popen(command, env=world.environment(), cwd=world.folder, start_new_session=True, **quiet)
    assert reached.wait(120)
    os.killpg(child.pid, signal.SIGHUP)
    ended.set()
    assert child.wait() == 0
    world.is_mirrored(target, objects)


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
