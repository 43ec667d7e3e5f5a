"""`hf2ms mcp`, driven by the official Python client of the Model Context Protocol."""

import contextlib
import json

import anyio
import pytest
from huggingface_hub import HfApi
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from clients.copies import TREE, arrived, from_modelscope, make_files, up_to_hugging_face
from programs import HF2MS, environment, until

TOOLS = {"doctor", "inventory", "plan", "start", "status", "report", "verify", "stop", "runs"}


class Assistant:
    """What a client asks for, and all that it was told."""

    def __init__(self, session, environment=None):
        self.session, self.environment, self.told, self.progress = session, environment, [], []

    async def call(self, tool, **arguments):
        async def listen(done, total, message):
            self.progress.append((done, total, message))

        answer = await self.session.call_tool(tool, arguments, progress_callback=listen)
        text = answer.content[0].text
        self.told.append(text)
        return answer.is_error, json.loads(text) if text.startswith("{") else text

    async def done(self, tool, **arguments):
        failed, answer = await self.call(tool, **arguments)
        assert not failed, answer
        return answer

    async def refused(self, tool, *words, **arguments):
        failed, answer = await self.call(tool, **arguments)
        assert failed and all(word in str(answer) for word in words), answer


@pytest.fixture
def assistant(sandbox, tmp_path):
    """Runs a coroutine with an assistant that has started `hf2ms mcp`, and returns all that it was told."""
    hubs = {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
    env = environment("HOME", **hubs, HF2MS_STATE=str(tmp_path / "state"), XDG_CONFIG_HOME=str(tmp_path / "config"))

    def run(work):
        @contextlib.asynccontextmanager
        async def started():
            server = StdioServerParameters(command=str(HF2MS), args=["mcp"], env=env, cwd=tmp_path)
            with open(tmp_path / "stderr", "w") as log:
                async with stdio_client(server, errlog=log) as (read, write), ClientSession(read, write) as session:
                    await session.initialize()
                    yield Assistant(session, env)

        async def main():
            async with started() as assistant:
                await work(assistant)
            return assistant

        assistant = anyio.run(main)
        said = "".join(assistant.told) + (tmp_path / "stderr").read_text()
        assert sandbox.hf_alice not in said and sandbox.ms_alice not in said
        return assistant

    return run


def test_a_whole_copy_by_an_assistant(sandbox, assistant, tmp_path):
    folder = make_files(tmp_path / "up", TREE)
    up_to_hugging_face(sandbox, folder, "alice/by-assistant", "model")
    route = {"source": "hf:alice/by-assistant", "destination": "ms:alice/by-assistant"}

    async def work(assistant):
        tools = (await assistant.session.list_tools()).tools
        assert {tool.name for tool in tools} == TOOLS
        reading = {tool.name for tool in tools if tool.annotations.read_only_hint}
        assert reading == TOOLS - {"start", "stop"}
        assert "event" in json.dumps(await assistant.done("doctor"))
        planned = await assistant.done("plan", **route)
        estimate = next(event for event in planned["events"] if event["event"] == "estimate")
        assert estimate["to_move"] > 0 and not sandbox.counted("ms.commit")["requests"]
        sandbox.post("/settings", hf_down=1_000_000)
        run = (await assistant.done("start", **route))["run"]
        status = await assistant.done("status", run=run, wait_seconds=60)
        assert status["events"][0].get("record", {}).get("state") == "done", status
        assert assistant.progress and all(total > 0 for _, total, _ in assistant.progress)
        report = (await assistant.done("report", run=run))["events"][0]
        assert report["verification"]["equal"] == report["files"]
        rows = (await assistant.done("inventory", owners=["alice"], only=["equal", "equal-by-size"]))["events"]
        assert any("by-assistant" in row.get("source", "") for row in rows), rows
        assert {row.get("state", "equal") for row in rows} <= {"equal", "equal-by-size"}, rows
        [totals] = (await assistant.done("inventory", owners=["alice"], summary=True))["events"]
        assert totals["event"] == "inventory"
        verified = await assistant.done("verify", **route, level="deep")
        assert verified["exit"] == 0
        assert run in json.dumps(await assistant.done("runs"))

    assistant(work)
    arrived(from_modelscope(sandbox, "alice/by-assistant", "model", tmp_path / "down"), folder)


def test_what_does_not_fit_is_said_and_nothing_is_done(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/refused", {"path": "a.txt", "text": "a"})

    async def work(assistant):
        route = {"source": "hf:alice/refused"}
        await assistant.refused("start", "max_delete", **route, prune=True)
        await assistant.refused("start", "max_cost", **route, on="modal")
        await assistant.refused("start", "no argument yes", **route, yes=True)
        await assistant.refused("plan", "was found", source="hf:alice/absent")
        await assistant.refused("start", "was found", source="hf:alice/absent")
        await assistant.refused("plan", "is not a repo id", source="--env-file=x")
        await assistant.refused("status", "no run", run="01NONE")
        await assistant.refused("stop", "nothing was stopped", run="last", confirm=False)

    assistant(work)
    assert not sandbox.counted("ms.create")["requests"] and not sandbox.counted("ms.commit")["requests"]


def test_the_last_run_is_the_one_that_was_started_here(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/started", {"path": "a.txt", "text": "a"})
    sandbox.seed("hf", "model", "alice/beside", {"path": "b.txt", "text": "b"})

    async def work(assistant):
        run = (await assistant.done("start", source="hf:alice/started"))["run"]
        command = [HF2MS, "migrate", "hf:alice/beside", "ms:alice/beside"]
        await anyio.run_process(command, env=assistant.environment)
        for tool in ("status", "report"):
            assert run in json.dumps(await assistant.done(tool, run="last")), tool

    assistant(work)


def test_no_file_and_no_variable_deletes_or_shows_anything(sandbox, assistant, tmp_path, monkeypatch):
    texts = {"path": "a.txt", "text": "a"}, {"path": "b.txt", "text": "b"}
    sandbox.post("/seed", hub="hf", kind="model", id="alice/secret", private=True, files=[texts[0]])
    sandbox.seed("hf", "model", "alice/kept", texts[0])
    sandbox.seed("ms", "model", "alice/kept", *texts)
    (tmp_path / "config/hf2ms").mkdir(parents=True)
    defaults = "prune = true\nyes = true\npublic = true\noverwrite = true\ncontainers = 1\n"
    (tmp_path / "config/hf2ms/config.toml").write_text(f"[migrate]\n{defaults}")

    async def work(assistant):
        for name in ("secret", "kept"):
            started = await assistant.done("start", source=f"hf:alice/{name}")
            warnings = [event["message"] for event in started["events"] if event["event"] == "warning"]
            for option in ("prune", "yes", "public", "overwrite"):
                assert any(f"--{option} of hf2ms migrate is not set by " in line for line in warnings), warnings
            status = await assistant.done("status", run=started["run"], wait_seconds=60)
            assert status["events"][0].get("record", {}).get("state") == "done", status

    assistant(work)
    assert sandbox.repo("ms", "model", "alice/secret")["visibility"] == "private"
    assert "b.txt" in sandbox.stored("ms", "model", "alice/kept")


def test_a_copy_goes_on_when_the_client_ends(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/left-alone", *({"path": f"{n}.bin", "size": 300_000, "seed": n} for n in range(10)))
    # Far too slow to end before the limit is lifted.
    sandbox.post("/settings", hf_down=20_000)

    async def work(assistant):
        await assistant.done("start", source="hf:alice/left-alone")

    assistant(work)
    assert not sandbox.counted("ms.commit")["requests"], "the copy has not ended yet"
    sandbox.post("/settings", hf_down=None)
    until(lambda: sandbox.counted("ms.commit")["requests"])
    until(lambda: len(sandbox.stored("ms", "model", "alice/left-alone")) >= 10)


def test_a_copy_is_stopped_and_gone_on_with(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/stopped", *({"path": f"{n}.bin", "size": 300_000, "seed": n} for n in range(10)))
    sandbox.post("/settings", hf_down=500_000)

    async def work(assistant):
        run = (await assistant.done("start", source="hf:alice/stopped"))["run"]
        await assistant.refused("report", "there is no report", run=run)
        assert (await assistant.done("stop", run=run, confirm=True))["exit"] == 0
        sandbox.post("/settings", hf_down=None)
        run = (await assistant.done("start", source="hf:alice/stopped"))["run"]
        status = await assistant.done("status", run=run, wait_seconds=60)
        assert status["events"][0].get("record", {}).get("state") == "done", status

    assistant(work)
    assert len(sandbox.stored("ms", "model", "alice/stopped")) >= 10


def test_a_start_that_fails_tells_why_whenever_it_fails(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/unlisted", {"path": "a.txt", "text": "a"})

    async def work(assistant):
        await assistant.refused("start", "--max-cost", source="hf:alice/unlisted", max_cost=-1)
        sandbox.fault("hf.tree", "status", status=403, body={"error": "not for you"})
        await assistant.refused("start", "not for you", source="hf:alice/unlisted")

    assistant(work)


def test_a_start_that_is_taken_back_copies_nothing(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/taken-back", {"path": "a.txt", "text": "a"})
    held = sandbox.fault("hf.tree", "delay", ms=3_000)
    assert held

    async def work(assistant):
        with anyio.move_on_after(1):
            await assistant.call("start", source="hf:alice/taken-back")
        until(lambda: sandbox.counted("hf.tree")["requests"])

    assistant(work)
    anyio.run(anyio.sleep, 4)
    assert not sandbox.counted("ms.create")["requests"]


def test_the_report_of_all_revisions_names_the_one_that_failed(sandbox, assistant):
    hub = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    sandbox.seed("hf", "model", "alice/branches", {"path": "a.bin", "size": 300_000, "seed": 1})
    hub.create_branch("alice/branches", branch="dev")
    commit = hub.upload_file(repo_id="alice/branches", revision="dev", path_in_repo="b.bin", path_or_fileobj=b"b" * 300_000)
    sandbox.fault("hf.tree", "status", path=commit.oid, status=403, body={"error": "not for you"})

    async def work(assistant):
        run = (await assistant.done("start", source="hf:alice/branches", all_revisions=True))["run"]
        status = (await assistant.done("status", run=run, wait_seconds=60))["events"][0]
        assert status["revisions"]["exit"] != 0
        revisions = (await assistant.done("report", run=run))["events"][0]["revisions"]
        assert {row["source"]: row["state"] for row in revisions} == {"main": "copied", "dev": "failed"}

    assistant(work)


def test_the_report_of_a_verification_says_what_differs(sandbox, assistant):
    sandbox.seed("hf", "model", "alice/verified", {"path": "a.txt", "text": "a"}, {"path": "b.txt", "text": "b"})
    sandbox.seed("ms", "model", "alice/verified", {"path": "a.txt", "text": "a"})

    async def work(assistant):
        run = (await assistant.done("verify", source="hf:alice/verified", destination="ms:alice/verified"))["run"]
        report = (await assistant.done("report", run=run))["events"][0]
        assert report["missing"] == ["b.txt"], report

    assistant(work)
