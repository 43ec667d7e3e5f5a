"""Starts what the tests need: one loopback Modal and one bridge for all."""

import pytest

from modal_app.drive import App, Bridge, script, settings
from programs import WORKER
from servers.modal.loopback import Loopback


@pytest.fixture(scope="session")
def worker():
    """The real worker."""
    return WORKER


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def plane():
    loopback = Loopback("--hurry", "50", "--scaledown", "3")
    yield loopback
    assert loopback.close() == 0


@pytest.fixture(autouse=True)
def no_faults_left(request):
    yield
    if "plane" in request.fixturenames:
        request.getfixturevalue("plane").ask("DELETE", "/faults")


@pytest.fixture(scope="session")
def bridge(plane, home):
    started = Bridge(settings(plane, home))
    yield started
    assert started.close() == 0


@pytest.fixture
def deployed(bridge, tmp_path):
    """Deploys an app whose worker is the given shell script."""
    return lambda body, **more: App(bridge, script(tmp_path, body), **more)
