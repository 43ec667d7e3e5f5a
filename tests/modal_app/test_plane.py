"""The loopback Modal leaves nothing behind, however it ends."""

import os
import pathlib
import shutil
import signal

import pytest

from modal_app.drive import App, Bridge, alive, children, receipt, script, settings
from programs import until
from servers.modal.loopback import Loopback


@pytest.fixture
def own(home, tmp_path):
    """A loopback Modal of its own with a container at work; gives it, the ids of container and worker, and its folder."""
    plane = Loopback()
    bridge = Bridge(settings(plane, home))
    app = App(bridge, script(tmp_path, f"cat >/dev/null; {receipt()}"))
    call = app.chunk()
    until(lambda: [pid for pid in plane.call(call)["pids"] if children(pid)])
    [container] = plane.call(call)["pids"]
    folder = pathlib.Path(os.readlink(f"/proc/{container}/cwd")).parents[2]
    yield plane, [container, *children(container)], folder
    bridge.process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def test_it_ends_its_containers_and_clears_up_when_standard_input_closes(own):
    plane, pids, folder = own
    assert plane.close() == 0
    until(lambda: not any(map(alive, pids)))
    assert not folder.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_it_when_it_is_killed(own, how):
    plane, pids, _ = own
    plane.process.send_signal(how)
    plane.process.wait(30)
    until(lambda: not any(map(alive, pids)))
