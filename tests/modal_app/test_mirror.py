"""A mirror in the cloud: `mirror` scans, has chunks copied by calls of its own, and pushes, by scripts that stand in for workers."""

import json

import pytest

from modal_app.drive import event, receipt
from programs import until

FAILED = event("failed", error="TARGET_TOKEN is wrong", kind="unauthorized")
PUSHED = event("pushed", refs=[{"name": "refs/heads/main", "state": "pushed"}], there=[])
# What each verb of the stand-in does; a chunk's is the test's own, and the push keeps its job where the test reads it.
VERBS = """case "$1" in
  scan) {scan}; {done};;
  push) printf "%s" "$job" > {kept}; {pushed}; {done};;
  run) {chunk};;
esac"""


def steps(chunks, push=True):
    jobs = [{"version": 1, "run": "r", "chunk": number, "chunks": chunks} for number in range(chunks)]
    return event("steps", chunks=jobs, push={"version": 1, "run": "r", "updates": []} if push else None)


SCANNED = event("scanned", refs=[1, 2, 3], missing=["a", "b"], missing_bytes=7, objects=5)


@pytest.fixture
def run(deployed, tmp_path):
    """Deploys an app whose chunks run a script, after a scan that finds so many; gives the app and where the push's job will be."""
    kept = tmp_path / "pushed"

    def deploy(chunk, scan=f"{SCANNED}; {steps(2)}", **more):
        return deployed(VERBS.format(scan=scan, chunk=chunk, kept=kept, pushed=PUSHED, done=receipt("z")), **more), kept

    return deploy


def mirror(app):
    return app.submit("mirror", {"version": 1, "run": app.name})


@pytest.fixture
def made(plane):
    """Tells the calls of chunks that this test has made."""
    known = {call["call"] for call in plane.state()["calls"]}
    return lambda: [call for call in plane.state()["calls"] if call["function"] == "run_chunk" and call["call"] not in known]


def test_it_hands_the_scans_jobs_on_and_gives_the_push_their_receipts(run):
    numbered = receipt("a").replace('"chunk": 0', "\"chunk\": '$n'")
    app, kept = run(f'n=0; case "$job" in *\'"chunk": 1\'*) n=1;; esac; {numbered}')
    envelope = app.done(mirror(app))
    job = json.loads(kept.read_text())
    assert [given["chunk"] for given in job["receipts"]] == [0, 1] and "event" not in job["receipts"][0]
    assert job["updates"] == [] and job["run"] == "r"
    assert [said["event"] for said in envelope["events"]] == ["scanned", "pushed", "receipt"]
    assert (envelope["exit"], list(envelope["chunks"]), envelope["before"]) == (0, ["0", "1"], [])
    assert envelope["events"][0]["missing"] == ["a", "b"], "the envelope has the whole list"


def test_its_log_counts_lists(run):
    app, _ = run(receipt("a"))
    app.done(mirror(app))
    lines = until(lambda: (said := app.lines()) and any(line.get("event") == "pushed" for line in said) and said)
    [scanned] = [line for line in lines if line.get("event") == "scanned"]
    assert scanned == {"event": "scanned", "refs": 3, "missing": 2, "missing_bytes": 7, "objects": 5, "run": app.name}


def test_nothing_to_push_and_nothing_to_move_end_it_after_the_scan(run):
    app, kept = run(receipt("a"), scan=f"{SCANNED}; {steps(0, push=False)}")
    envelope = app.done(mirror(app))
    assert [said["event"] for said in envelope["events"]] == ["scanned", "receipt"] and envelope["chunks"] == {}
    assert not kept.exists()


def test_a_scan_that_is_refused_is_an_envelope_and_nothing_follows(run, made):
    app, kept = run(receipt("a"), scan=f"{FAILED}; exit 3")
    envelope = app.done(mirror(app))
    assert (envelope["exit"], envelope["events"][0]["kind"]) == (3, "unauthorized")
    assert not kept.exists() and not made()


def test_a_chunk_that_is_lost_leaves_the_push_without_its_receipt(run):
    app, kept = run(f'case "$job" in *\'"chunk": 1\'*) kill -9 $$;; esac; {receipt("a")}')
    envelope = app.done(mirror(app))
    assert envelope["chunks"]["1"] == {"lost": "the worker was killed by signal 9"}
    assert len(json.loads(kept.read_text())["receipts"]) == 1


def test_cancelling_it_cancels_the_calls_that_it_made(run, plane, made):
    app, kept = run("cat >/dev/null")
    call = mirror(app)
    until(lambda: len(made()) == 2 and all(c["pids"] for c in made()))
    app.bridge.ok("cancel", call=call, terminate=False)
    assert app.ended(call) == {"state": "cancelled"}
    until(lambda: all(c["state"] == "cancelled" and not c["pids"] for c in made()))
    assert not kept.exists()


@pytest.mark.parametrize("how", ["preempt", "kill"])
def test_one_that_is_lost_waits_for_the_calls_that_it_had_made_and_looks_anew(run, plane, made, tmp_path, how):
    app, kept = run(f"while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; {receipt('a')}")
    call = mirror(app)
    until(lambda: len(made()) == 2 and all(c["pids"] for c in made()))
    until(lambda: plane.act(how, call=call))
    until(lambda: plane.call(call)["deliveries"] == 2)
    (tmp_path / "go").touch()
    envelope = app.done(call)
    assert [part["exit"] for part in envelope["before"]] == [0, 0]
    assert len(made()) == 4 and {c["state"] for c in made()} == {"done"}, "the stand-in's scan finds the same again"
    assert len(json.loads(kept.read_text())["receipts"]) == 2


def test_the_bridge_tells_the_calls_that_a_call_made(run):
    app, _ = run(receipt("a"))
    call = mirror(app)
    app.done(call)
    made = app.bridge.ok("made", call=call)["calls"]
    assert [one["state"] for one in made] == ["SUCCESS", "SUCCESS"]
    assert app.bridge.ok("made", call=made[0]["call"])["calls"] == []
