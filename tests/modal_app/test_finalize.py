"""The end of a run in the cloud: `finalize` waits for the chunks, whatever becomes of them, and runs one worker."""

import json

import pytest

from modal_app.drive import alive, children, event, receipt
from programs import until

VERIFIED = event("verified", checked=1, chunk=0)
FAILED = event("failed", error="MODELSCOPE_TOKEN is wrong", kind="unauthorized")
# The stand-in's verb `finalize` keeps its job where the test reads it.
KEEP = """if [ "$1" = finalize ]; then
  case "$job" in *'"say": "nothing"'*) cat >/dev/null; exit 130;; *'"say": "verified"'*) {verified};; esac
  printf "%s" "$job" > {kept}; {receipt}; exit
fi"""


@pytest.fixture
def run(deployed, tmp_path):
    """Deploys an app whose chunks run a script; gives the app and where the finalizer's job will be."""
    kept = tmp_path / "finalized"
    return lambda body, **more: (deployed(f"{KEEP.format(kept=kept, receipt=receipt('z'), verified=VERIFIED)}\n{body}", **more), kept)


def finalize(app, calls):
    job = {"version": 1, "run": app.name, "plan": {}, "look": True}
    return app.submit("finalize", {"calls": {str(number): call for number, call in enumerate(calls)}, "job": job})


def test_it_gives_the_worker_the_receipts_in_their_order(run):
    chunk = 'case "$job" in *\'"chunk": 0\'*) sleep 0.5; n=0;; *\'"chunk": 1\'*) n=1;; *) n=2;; esac'
    body = receipt("a").replace('"chunk": 0', "\"chunk\": '$n'")
    app, kept = run(f"{chunk}; {body}")
    envelope = app.done(finalize(app, [app.chunk(number) for number in range(3)]))
    job = json.loads(kept.read_text())
    assert [given["chunk"] for given in job["receipts"]] == [0, 1, 2] and "event" not in job["receipts"][0]
    assert (job["run"], job["look"], job["plan"]) == (app.name, True, {})
    assert envelope["exit"] == 0 and envelope["events"][-1]["files"][0]["path"] == "z"
    assert list(envelope["chunks"]) == ["0", "1", "2"] and envelope["chunks"]["2"]["exit"] == 0


def test_it_runs_the_verb_that_the_job_names_with_all_receipts(run, tmp_path):
    kept = tmp_path / "revisions"
    app, _ = run(f'if [ "$1" = revisions ]; then printf "%s" "$job" > {kept}; fi; {receipt("a")}')
    call = app.submit("finalize", {"verb": "revisions", "calls": {"0": app.chunk(0)}, "job": {"version": 1, "run": app.name, "revisions": []}})
    envelope = app.done(call)
    job = json.loads(kept.read_text())
    assert (job["revisions"], [given["chunk"] for given in job["receipts"]]) == ([], [0])
    assert envelope["exit"] == 0 and list(envelope["chunks"]) == ["0"]


def test_receipts_that_the_job_has_come_before_those_of_its_calls(run):
    app, kept = run(receipt("a"))
    job = {"version": 1, "run": app.name, "plan": {}, "receipts": [{"run": app.name, "chunk": 7, "files": []}]}
    for calls, chunks in (({}, [7]), ({"0": app.chunk(0)}, [7, 0])):
        app.done(app.submit("finalize", {"calls": calls, "job": job}))
        assert [given["chunk"] for given in json.loads(kept.read_text())["receipts"]] == chunks


def test_a_lost_chunk_is_said_and_the_others_are_finished(run):
    app, kept = run(f'case "$job" in *\'"chunk": 1\'*) kill -9 $$;; esac; {receipt("a")}')
    envelope = app.done(finalize(app, [app.chunk(number) for number in range(3)]))
    assert envelope["chunks"]["1"] == {"lost": "the worker was killed by signal 9"}
    assert len(json.loads(kept.read_text())["receipts"]) == 2


def test_expired_cancelled_and_unknown_calls_are_lost(run, plane):
    app, kept = run(f'case "$job" in *\'"chunk": 1\'*) cat >/dev/null;; esac; {receipt("a")}')
    expired, cancelled = app.chunk(0), app.chunk(1)
    app.done(expired)
    plane.act("expire", call=expired)
    app.bridge.ok("cancel", call=cancelled, terminate=False)
    chunks = app.done(finalize(app, [expired, cancelled, "fc-0000000000000000000000"]))["chunks"]
    assert [chunk["lost"] for chunk in chunks.values()] == [
        "its result has expired",
        "it was cancelled",
        "Modal knows no call fc-0000000000000000000000",
    ]
    assert json.loads(kept.read_text())["receipts"] == []


def test_the_first_refusal_cancels_the_others(run, plane):
    app, _ = run(f'case "$job" in *\'"chunk": 0\'*) {FAILED}; exit 3;; esac; cat >/dev/null; {receipt("a")}', containers=2)
    calls = [app.chunk(number) for number in range(4)]
    chunks = app.done(finalize(app, calls))["chunks"]
    assert chunks["0"]["exit"] == 3 and [chunks[n]["lost"] for n in "123"] == ["it was cancelled"] * 3
    until(lambda: not any(plane.call(call)["pids"] for call in calls))


def test_a_preempted_one_starts_again_and_comes_to_the_same(run, plane, tmp_path):
    app, kept = run(f"while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; {receipt('a')}")
    chunk = app.chunk(0)
    call = finalize(app, [chunk])
    for how in ("preempt", "kill"):
        seen = plane.call(call)["deliveries"]
        until(lambda: plane.call(call)["pids"])
        until(lambda: plane.act(how, call=call))
        until(lambda: plane.call(call)["deliveries"] > seen)
    (tmp_path / "go").touch()
    assert app.done(call)["exit"] == 0
    assert len(json.loads(kept.read_text())["receipts"]) == 1


def test_more_chunks_than_it_looks_at_together_are_all_gathered(run):
    app, kept = run(receipt("a"), containers=4)
    calls = [app.chunk(number) for number in range(80)]
    envelope = app.done(finalize(app, calls))
    assert len(envelope["chunks"]) == 80 and len(json.loads(kept.read_text())["receipts"]) == 80
    assert list(envelope["chunks"])[:3] == ["0", "1", "2"]


def test_its_lines_are_marked_with_the_run_and_no_chunk(run):
    app, _ = run("true")
    job = {"run": app.name, "say": "verified"}
    app.done(app.submit("finalize", {"calls": {}, "job": job}))
    [line] = until(app.lines)
    assert line == {"event": "verified", "checked": 1, "run": app.name}


def test_cancelling_it_ends_its_wait_and_its_worker(run, plane):
    app, kept = run("cat >/dev/null")
    waits = finalize(app, [app.chunk(0)])
    works = app.submit("finalize", {"calls": {}, "job": {"run": app.name, "say": "nothing"}})
    until(lambda: [pid for pid in plane.call(works)["pids"] if children(pid)])
    [worker] = [child for pid in plane.call(works)["pids"] for child in children(pid)]
    for call in (waits, works):
        app.bridge.ok("cancel", call=call, terminate=False)
        assert app.ended(call) == {"state": "cancelled"}
        until(lambda: not plane.call(call)["pids"])
    assert not alive(worker) and not kept.exists()
