"""Calls that last too long: Modal raises the same for that as for a cancel by its user."""

import pytest

from modal_app.drive import App, Bridge, children, event, receipt, script, settings
from modal_app.test_mirror import SCANNED, VERBS, steps
from programs import until

STARTED = event("started", verb="run", run="r", chunk=9, files=1, bytes=1, version="0")


@pytest.fixture
def hasty(plane, home, tmp_path):
    """Deploys an app whose calls may last two seconds, and whose worker is the given shell script."""
    bridge = Bridge(settings(plane, home, HF2MS_MODAL_TIMEOUT="2"))
    yield lambda body: App(bridge, script(tmp_path, body))
    assert bridge.close() == 0


def timed_out(state):
    return state["state"] == "failed" and state["error"].startswith("timed out: run the same command again")


def test_a_chunk_that_times_out_is_no_cancel_and_leaves_no_process(hasty, plane):
    app = hasty(f"{STARTED}; cat >/dev/null; {receipt()}")
    call = app.chunk()
    containers = until(lambda: [pid for pid in plane.call(call)["pids"] if children(pid)])
    assert timed_out(app.ended(call))
    assert plane.call(call)["deliveries"] == 1
    [said] = until(lambda: [line["text"] for line in app.lines() if "app.Broken" in line.get("text", "")])
    assert "timed out after 2 s: run the same command again" in said
    until(lambda: not any(children(pid) for pid in containers))


def test_a_mirror_that_times_out_cancels_none_of_its_calls(hasty, plane):
    known = {call["call"] for call in plane.state()["calls"]}
    app = hasty(VERBS.format(scan=f"{SCANNED}; {steps(2)}", chunk="cat >/dev/null", kept="/dev/null", pushed="true", done=receipt("z")))
    assert timed_out(app.ended(app.submit("mirror", {"version": 1, "run": app.name})))

    def ended():
        made = [call for call in plane.state()["calls"] if call["function"] == "run_chunk" and call["call"] not in known]
        return len(made) == 2 and not any(call["pids"] or call["state"] == "queued" for call in made) and made

    assert {call["state"] for call in until(ended)} == {"timed out"}
