"""A mirror whose work is done in containers of this machine's Docker, on the host's network: the forge is on its loopback."""

import os
import subprocess

import pytest

from conftest import STATIC


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
