"""The bridge's verbs and what it says when Modal refuses."""

import json
import sys

import pytest

from modal_app.drive import App, Bridge, MODAL, receipt, script, settings
from programs import until


@pytest.fixture
def another(plane, home):
    """Starts further bridges, each with an environment of its own."""
    started = []

    def start(*flags, folder=MODAL, **environment):
        wanted = {**settings(plane, home), **environment}
        started.append(Bridge({name: value for name, value in wanted.items() if value is not None}, *flags, folder=folder))
        return started[-1]

    yield start
    for bridge in started:
        bridge.close()


def test_it_says_first_what_it_runs_on(bridge):
    assert bridge.first["ready"]["modal"] == "1.6.4" and bridge.first["ready"]["python"].count(".") == 2


def test_without_the_sdk_it_says_so_and_which_python_lacks_it(another):
    bridge = another("-S")
    assert bridge.first["error"]["kind"] == "missing" and sys.executable in bridge.first["error"]["message"]
    assert bridge.process.wait(10) == 1


def test_an_app_is_deployed_once(bridge, plane, tmp_path):
    worker = script(tmp_path, receipt())
    request = {"app": "hf2ms-once", "worker": str(worker), "containers": 3, "cpu": [1, 4], "memory": [512, 1024]}
    assert bridge.ok("deploy", **request) == {"app": "hf2ms-once", "deployed": True}
    published = plane.state()["requests"]["AppPublish"]
    assert bridge.ok("deploy", **request) == {"app": "hf2ms-once", "deployed": False}
    assert plane.state()["requests"]["AppPublish"] == published


def test_the_deployed_apps_of_this_program_are_named(bridge, tmp_path):
    worker = str(script(tmp_path, receipt()))
    for app in ("hf2ms-0-0-9-0123456789ab", "someone-elses"):
        bridge.ok("deploy", app=app, worker=worker, containers=1)
    apps = bridge.ok("apps")["apps"]
    assert "hf2ms-0-0-9-0123456789ab" in apps and "someone-elses" not in apps


def test_a_worker_that_is_not_there_is_named(bridge):
    refused = bridge.error("deploy", app="hf2ms-none", worker="/nowhere/hf2ms-worker", containers=1)
    assert "/nowhere/hf2ms-worker is not there" in refused["message"]


def test_a_poll_says_pending_until_it_is_done(deployed, tmp_path):
    app = deployed(f"while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; {receipt()}")
    call = app.chunk()
    assert app.bridge.ok("poll", call=call, wait=0) == {"state": "pending"}
    (tmp_path / "go").touch()
    assert app.bridge.ok("poll", call=call, wait=50)["state"] == "done"


def test_a_result_that_has_expired_is_said_to_be(deployed, plane):
    app = deployed(receipt())
    call = app.chunk()
    app.done(call)
    assert plane.act("expire", call=call) == 1
    assert app.bridge.ok("poll", call=call, wait=50) == {"state": "expired"}


def test_calls_and_functions_that_are_not_there_are_not_found(bridge):
    assert bridge.error("poll", call="fc-0000000000000000000000", wait=0)["kind"] == "not_found"
    assert bridge.error("submit", app="hf2ms-nowhere", function="run_chunk", job={})["kind"] == "not_found"
    assert bridge.error("logs", app="hf2ms-nowhere", run="r", follow=False)["kind"] == "not_found"


def test_wrong_tokens_are_refused_without_being_shown(another):
    refused = another(MODAL_TOKEN_SECRET="as-canary-wrong").error("deploy", app="x", worker=__file__, containers=1)
    assert refused == {"kind": "unauthorized", "message": "Modal says: Token validation failed"}


def test_missing_tokens_are_named(another):
    bridge = another(MODAL_TOKEN_ID=None, MODAL_TOKEN_SECRET=None)
    for verb in ({"verb": "poll", "call": "fc-0000000000000000000000"}, {"verb": "deploy", "app": "x", "worker": __file__}):
        refused = bridge.error(**verb)
        assert refused["kind"] == "unauthorized" and "MODAL_TOKEN_SECRET are not set" in refused["message"]


def test_a_quota_is_told_from_a_moment_of_load(deployed, another, plane):
    app = deployed(receipt())
    plane.fault("exhausted", rpc="FunctionMap", message="workspace limit reached")
    refused = app.bridge.error("submit", app=app.name, function="run_chunk", job={})
    assert refused == {"kind": "quota", "message": "Modal has no room: workspace limit reached"}
    plane.fault("exhausted", rpc="FunctionMap", retry_after=0.1)
    impatient = another(MODAL_MAX_THROTTLE_WAIT="0")
    assert impatient.error("submit", app=app.name, function="run_chunk", job={})["kind"] == "busy"


@pytest.mark.parametrize("words", ["Function call failed: workspace billing cycle spend limit reached", "Workspace ac-1 has exceeded its spend limit"])
def test_a_spend_limit_is_final(deployed, plane, words):
    app = deployed(receipt())
    plane.fault("exhausted", rpc="FunctionMap", message=words)
    refused = app.bridge.error("submit", app=app.name, function="run_chunk", job={})
    assert refused == {"kind": "spent", "message": f"Modal says: {words}"}


def test_an_error_of_the_function_is_not_one_of_modal(bridge, tmp_path):
    worker = tmp_path / "worker"
    worker.write_text("#!/nowhere/sh\n")
    worker.chmod(0o755)
    app = App(bridge, worker)
    state = app.ended(app.chunk())
    assert state["state"] == "failed" and state["error"].startswith("FileNotFoundError: "), state


def test_a_check_whose_worker_can_not_be_started_has_failed(bridge, tmp_path):
    worker = tmp_path / "worker"
    worker.write_text("#!/nowhere/sh\n")
    worker.chmod(0o755)
    app = App(bridge, worker)
    state = app.ended(app.submit("check", []))
    assert state["state"] == "failed" and "FileNotFoundError" in state["error"], state


@pytest.mark.parametrize("raised", ['OSError(5, "disk")', 'ConnectionResetError("disk")', 'TimeoutError("disk")', 'modal.exception.AuthError("disk")'])
def test_whatever_a_function_raises_the_call_has_failed(another, tmp_path, raised):
    for name in ("app.py", "bridge.py"):
        (tmp_path / name).write_text((MODAL / name).read_text().replace("    with Attempt():\n        return attend", f"    raise {raised}\n    if 0:\n        return attend"))
    app = App(another(folder=tmp_path), script(tmp_path, receipt()))
    state = app.ended(app.submit("check", []))
    assert state["state"] == "failed" and "disk" in state["error"], state


def test_a_function_that_raises_what_a_poll_without_an_answer_raises_has_failed(another, tmp_path):
    for name in ("app.py", "bridge.py"):
        (tmp_path / name).write_text((MODAL / name).read_text().replace("    with Attempt():\n        return attend", "    raise TimeoutError\n    if 0:\n        return attend"))
    app = App(another(folder=tmp_path), script(tmp_path, receipt()))
    call = app.submit("check", [])
    assert app.bridge.ok("poll", call=call, wait=50)["state"] == "failed"


def test_what_the_deployer_says_of_the_network_reaches_the_worker_and_no_password_is_shown(bridge, plane, tmp_path):
    worker = script(tmp_path, f'echo "$HTTPS_PROXY $NO_PROXY" >&2; {receipt()}')
    app = App(bridge, worker, variables={"HTTPS_PROXY": "http://me:canary-password@proxy.example:3128", "NO_PROXY": "a.example"})
    assert app.done(app.chunk())["log"] == "http://me:***@proxy.example:3128 a.example"
    told = json.dumps([plane.ask("GET", "/requests"), bridge.everything, bridge.log, app.lines()])
    assert "canary-password" not in told


def test_a_moment_of_load_that_passes_is_not_mentioned(deployed, plane):
    app = deployed(receipt())
    plane.fault("exhausted", rpc="FunctionMap", retry_after=0.1, count=2)
    assert app.done(app.chunk())["exit"] == 0


def test_an_answer_that_is_lost_leaves_one_call(deployed, plane):
    app = deployed(receipt())
    before = len(plane.state()["calls"])
    plane.fault("lose_answer", rpc="FunctionMap")
    assert app.done(app.chunk())["exit"] == 0
    assert len(plane.state()["calls"]) == before + 1


def test_malformed_requests_are_answered_and_harm_nothing(bridge):
    assert "malformed" in bridge.error("dance")["message"]
    assert "malformed" in bridge.error("poll")["message"]
    assert bridge.error("poll", call="nonsense") == {
        "kind": "not_found",
        "message": "nonsense is no call of Modal's: their ids begin with fc-",
    }


def test_a_hundred_chunks_are_submitted_at_once_and_all_gathered(deployed, plane):
    app = deployed(receipt(), containers=4)
    before = plane.state()["requests"]["FunctionGet"]
    files = [{"path": f"data/{n:05}.parquet", "size": 1, "sha256": f"{n:064x}"} for n in range(100)]
    jobs = [{"version": 1, "run": app.name, "chunk": number, "files": files} for number in range(100)]
    asked = [app.bridge.send("submit", app=app.name, function="run_chunk", job=job) for job in jobs]
    calls = [app.bridge.next(number)["ok"]["call"] for number in asked]
    assert len(set(calls)) == 100
    asked = [app.bridge.send("poll", call=call, wait=50) for call in calls]
    assert {app.bridge.next(number)["ok"]["state"] for number in asked} == {"done"}
    assert plane.state()["requests"]["FunctionGet"] == before + 1
    assert plane.state()["peak"]["run_chunk"] <= 4


def test_logs_are_those_of_the_run_alone(deployed):
    app = deployed(f"echo of this run >&2; {receipt()}")
    mine, other = app.chunk(1), app.submit("run_chunk", {"run": "another", "chunk": 2})
    app.done(mine), app.done(other)
    mark = {"run": app.name, "chunk": 1}
    assert until(lambda: len(said := app.lines()) > 1 and said) == [{**mark, "log": "of this run"}, {**mark, "event": "ended", "exit": 0}]


def test_what_breaks_a_call_is_in_its_log_too(deployed):
    app = deployed("echo last words >&2; kill -9 $$")
    app.ended(app.chunk(1))
    texts = [line["text"] for line in app.lines() if "text" in line]
    assert any("WorkerDied" in text for text in texts)


def test_following_says_what_was_and_what_comes_each_once(deployed, plane, tmp_path):
    wait = "while ! [ -e {} ]; do sleep 0.05; done"
    first, second = tmp_path / "first", tmp_path / "second"
    says = f"echo said >&2; {wait.format(first)}; echo meanwhile >&2; {wait.format(second)}; echo later >&2"
    app = deployed(f"{says}; {receipt()}")
    call = app.chunk(1)
    until(app.lines)
    # What is printed while the older lines are fetched is told twice by Modal: in the stream, too.
    plane.fault("delay", rpc="AppCountLogs", seconds=1)
    streams = plane.state()["requests"].get("AppGetLogs", 0)
    number = app.bridge.send("logs", app=app.name, run=app.name, follow=True)
    until(lambda: plane.state()["requests"].get("AppGetLogs", 0) > streams)
    first.touch()
    assert [app.bridge.next(number)["line"]["log"] for _ in range(2)] == ["said", "meanwhile"]
    second.touch()
    assert app.bridge.next(number)["line"]["log"] == "later"
    app.done(call)


def test_what_anything_prints_is_no_answer(another, tmp_path):
    for name in ("app.py", "bridge.py"):
        (tmp_path / name).write_text((MODAL / name).read_text() + "\nprint('above')\nos.system('echo below')\n" * (name == "app.py"))
    bridge = another(folder=tmp_path)
    App(bridge, script(tmp_path, receipt()))
    assert until(lambda: len(bridge.log) == 2 and bridge.log) == ["above\n", "below\n"]


def test_it_ends_when_standard_input_closes_and_leaves_calls_running(another, plane, tmp_path):
    bridge = another()
    app = App(bridge, script(tmp_path, f"sleep 0.5; {receipt()}"))
    call = app.chunk()
    bridge.send("poll", call=call, wait=50)
    assert bridge.close() == 0
    app.bridge = another()
    assert app.done(call)["exit"] == 0


def test_no_token_is_in_logs_answers_arguments_or_requests_but_the_secret(another, plane, tmp_path):
    canaries = {"HF_TOKEN": "hf_canary_one", "MODELSCOPE_TOKEN": "ms-canary-two"}
    bridge = another(**canaries, HF2MS_STALL="7")
    spill = f'printenv HF_TOKEN >&2; echo "$MODELSCOPE_TOKEN $HF2MS_STALL" >&2; tr "\\0" " " </proc/$$/cmdline >&2; {receipt()}'
    app = App(bridge, script(tmp_path, spill))
    envelope = app.done(app.chunk())
    assert envelope["log"].startswith("***\n*** 7\n")
    dies = App(bridge, script(tmp_path, "printenv HF_TOKEN >&2; exit 1"))
    dies.ended(dies.chunk())
    told = json.dumps([plane.ask("GET", "/requests"), bridge.everything, bridge.log, app.lines(), dies.lines()])
    assert "run_chunk" in told
    assert not [token for token in (*canaries.values(), plane.told["token_secret"]) if token in told]


def test_a_request_that_modal_forgot_to_know_again_is_a_second_call_and_does_no_harm(deployed, plane):
    app = deployed(receipt())
    before = len(plane.state()["calls"])
    plane.fault("lose_answer", rpc="FunctionMap", forget=True)
    assert app.done(app.chunk())["exit"] == 0
    assert len(plane.state()["calls"]) == before + 2


def test_modal_out_of_reach_for_a_moment_is_not_mentioned_and_for_longer_is_said(deployed, plane):
    app = deployed(receipt())
    plane.fault("unavailable", rpc="FunctionMap", count=2)
    assert app.done(app.chunk())["exit"] == 0
    plane.fault("unavailable", rpc="FunctionMap", count=99)
    assert app.bridge.error("submit", app=app.name, function="run_chunk", job={})["kind"] == "unreachable"
