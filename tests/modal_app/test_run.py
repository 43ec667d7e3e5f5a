"""One chunk in a container: what its worker says and how it ends, by scripts that stand in for a worker."""

from modal_app.drive import alive, children, event, receipt
from programs import until

STARTED = event("started", verb="run", run="r", chunk=9, files=1, bytes=1, version="0")


def test_the_envelope_has_the_exit_code_and_all_events_but_progress_and_files(deployed):
    progress, file = event("progress", bytes=1, files=0), event("file", path="a", bytes=1, sha256="0" * 64, how="streamed")
    app = deployed(f"{STARTED}; {progress}; {file}; echo so it goes >&2; {receipt('a')}")
    envelope = app.done(app.chunk(4))
    assert [said["event"] for said in envelope["events"]] == ["started", "receipt"]
    assert (envelope["exit"], envelope["log"]) == (0, "so it goes")
    assert [stored["path"] for stored in envelope["events"][-1]["files"]] == ["a"]


def test_the_log_has_marked_lines_little_progress_and_no_list_of_files(deployed):
    ticks = "; ".join(event("progress", bytes=n, files=0) for n in range(1, 6))
    app = deployed(f"{STARTED}; {ticks}; {receipt('secret-name')}; echo out of luck >&2")
    app.done(app.chunk(4))
    lines = until(lambda: (said := app.lines()) and any(line.get("event") == "ended" for line in said) and said)
    assert all((line["run"], line["chunk"]) == (app.name, 4) for line in lines)
    assert [line.get("event") for line in lines if "event" in line] == ["started", "progress", "progress", "ended"]
    assert [line["bytes"] for line in lines if line.get("event") == "progress"] == [1, 5]
    assert not any("secret-name" in str(line) for line in lines)


def test_the_job_comes_on_the_first_line_and_the_line_stays_open_until_the_receipt(deployed, tmp_path):
    given = 'case "$1 $2 $job" in "run --attached "*\'"chunk": 5\'*) ;; *) exit 7;; esac'
    # A line that were closed early would end `cat` before the receipt, and its mark would be there.
    app = deployed(f"{given}; exec 3<&0; (cat <&3; touch {tmp_path}/cut) >/dev/null & sleep 0.5; ls {tmp_path}/cut >&2; {receipt()}")
    envelope = app.done(app.chunk(5))
    assert envelope["exit"] == 0 and "No such file" in envelope["log"]
    until((tmp_path / "cut").exists)


def test_a_worker_that_ends_incomplete_is_not_tried_again(deployed, plane):
    app = deployed(f"{receipt()}; exit 1")
    call = app.chunk()
    assert app.done(call)["exit"] == 1 and plane.call(call)["deliveries"] == 1


def test_a_refusal_is_an_envelope_even_without_a_receipt(deployed, plane):
    failed = event("failed", error="MODELSCOPE_TOKEN is wrong", kind="unauthorized")
    app = deployed(f"{failed}; exit 3")
    call = app.chunk()
    envelope = app.done(call)
    assert (envelope["exit"], envelope["events"][0]["kind"]) == (3, "unauthorized")
    assert plane.call(call)["deliveries"] == 1


def test_a_worker_that_dies_is_tried_three_times_and_then_reported(deployed, plane):
    app = deployed("echo out of cheese >&2; kill -9 $$")
    call = app.chunk()
    state = app.ended(call)
    assert state == {"state": "failed", "error": "the worker was killed by signal 9: out of cheese"}
    assert plane.call(call)["deliveries"] == 3


def test_a_worker_that_ends_without_a_receipt_says_why_it_failed(deployed):
    failed = event("failed", error="the hub is away", kind="transient")
    app = deployed(f"{failed}; exit 1")
    assert app.ended(app.chunk())["error"] == "the worker ended with code 1 and no receipt: the hub is away"


def test_a_worker_that_was_interrupted_did_not_do_it(deployed):
    app = deployed(f"{receipt()}; exit 130")
    assert "ended with code 130" in app.ended(app.chunk())["error"]


def waits_at_first(tmp_path):
    """The first worker waits for its end, the next does its work."""
    return f"{STARTED}; if mkdir {tmp_path}/first 2>/dev/null; then cat >/dev/null; exit 9; fi; {receipt()}"


def test_a_killed_container_costs_a_try_and_the_chunk_is_done_elsewhere(deployed, plane, tmp_path):
    app = deployed(waits_at_first(tmp_path))
    plane.fault("kill", function="run_chunk", line='"started"')
    call = app.chunk()
    assert app.done(call)["exit"] == 0
    assert (plane.call(call)["deliveries"], plane.call(call)["crashes"]) == (2, 1)


def test_a_preempted_container_stops_its_worker_before_it_goes(deployed, plane, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    first = f"if mkdir {marks}/first 2>/dev/null; then cat >/dev/null; sleep 0.5; touch {marks}/stopped; exit 130; fi"
    app = deployed(f"{STARTED}; {first}; ls {marks}/stopped >&2 || exit 9; {receipt()}")
    plane.fault("preempt", function="run_chunk", line='"started"')
    call = app.chunk()
    assert app.done(call)["exit"] == 0
    assert (plane.call(call)["deliveries"], plane.call(call)["crashes"]) == (2, 0)


def test_a_container_that_hangs_is_given_up_and_the_chunk_is_done_elsewhere(deployed, plane, tmp_path):
    app = deployed(waits_at_first(tmp_path))
    plane.fault("freeze", function="run_chunk", line='"started"')
    call = app.chunk()
    assert app.done(call)["exit"] == 0 and plane.call(call)["deliveries"] == 2


def test_a_chunk_that_is_delivered_twice_ends_once(deployed, plane, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    app = deployed(f'touch {marks}/$$; while [ "$(ls {marks} | wc -l)" -lt 2 ]; do sleep 0.05; done; {receipt()}')
    plane.fault("twice", function="run_chunk")
    call = app.chunk()
    assert app.done(call)["exit"] == 0 and plane.call(call)["deliveries"] == 2


def test_cancelling_leaves_no_process(deployed, plane, tmp_path):
    app = deployed(f"{STARTED}; cat >/dev/null; {receipt()}")
    for terminate in (False, True):
        call = app.chunk()
        until(lambda: [pid for pid in plane.call(call)["pids"] if children(pid)])
        [container] = plane.call(call)["pids"]
        [worker] = children(container)
        app.bridge.ok("cancel", call=call, terminate=terminate)
        assert app.ended(call) == {"state": "cancelled"}
        until(lambda: not plane.call(call)["pids"] and not alive(worker))
        until(lambda: alive(container) != terminate)


def test_containers_are_used_again_and_never_more_than_allowed(deployed, plane):
    app = deployed(f"{receipt()}", containers=2)
    before = plane.state()["started"].get("run_chunk", 0)
    calls = [app.chunk(number) for number in range(12)]
    assert all(app.done(call)["exit"] == 0 for call in calls)
    assert plane.state()["started"]["run_chunk"] - before <= 2


def test_check_needs_no_receipt(deployed):
    checked = event("checked", version="0", endpoints=[])
    app = deployed(f'test "$*" = "check http://a http://b" || exit 9; {checked}; exit 1')
    envelope = app.done(app.submit("check", ["http://a", "http://b"]))
    assert (envelope["exit"], envelope["events"][0]["event"]) == (1, "checked")
