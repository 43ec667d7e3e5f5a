"""One Git host for all mirrors, and a source and a target on it for each test."""

import tempfile
from pathlib import Path

import pytest

from mirrors.world import World
from servers.git.host import Host
from servers.git.repos import with_history


@pytest.fixture(scope="session")
def host():
    with tempfile.TemporaryDirectory(prefix="hf2ms-forge-") as folder:
        host = Host(Path(folder) / "git", Path(folder) / "lfs")
        host.root.mkdir()
        host.store.mkdir()
        host.start()
        yield host
        host.stop()


@pytest.fixture
def world(host, tmp_path):
    return World(host, tmp_path)


@pytest.fixture
def history(world):
    """A world whose source has branches, tags and LFS objects in its history: with the objects' ids."""
    _, objects = with_history(world.source)
    return world, objects
