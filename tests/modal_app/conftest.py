"""Starts what the tests need: one loopback Modal and one bridge for all, and the sandbox's hubs."""

import importlib.util
import os
import pathlib

import harness
import pytest

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", harness.ROOT / "target")) / "debug"
os.environ.setdefault("HF2MS_SANDBOX_BIN", str(TARGET / "hf2ms-sandbox"))


def load_hubs():
    """The sandbox's own fixtures."""
    spec = importlib.util.spec_from_file_location("hubs", harness.ROOT / "sandbox/tests/conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hubs = load_hubs()
running, sandbox = hubs.running, hubs.sandbox


@pytest.fixture(scope="session")
def worker():
    """The real worker."""
    return TARGET / "hf2ms-worker"


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def plane():
    loopback = harness.Loopback("--hurry", "50", "--scaledown", "3")
    yield loopback
    assert loopback.close() == 0


@pytest.fixture(autouse=True)
def no_faults_left(request):
    yield
    if "plane" in request.fixturenames:
        request.getfixturevalue("plane").ask("DELETE", "/faults")


@pytest.fixture(scope="session")
def bridge(plane, home):
    started = harness.Bridge(harness.settings(plane.told, home))
    yield started
    assert started.close() == 0


@pytest.fixture
def deployed(bridge, tmp_path):
    """Deploys an app whose worker is the given shell script."""
    return lambda body, **more: harness.App(bridge, harness.script(tmp_path, body), **more)
