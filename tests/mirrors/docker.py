"""Docker on this machine, for the tests that need it."""

import subprocess

import pytest

from programs import STATIC


def has_docker():
    try:
        return subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    except OSError:
        return False


needs_docker = pytest.mark.skipif(not has_docker() or not STATIC.is_file(), reason="needs Docker and the static worker")


def docker(*args):
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=True).stdout.strip()
