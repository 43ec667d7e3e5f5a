"""docs/assistants.md is true: each way of the set-up starts the server, and the table is what the server says of its tools."""

import json
import os
import re
import shlex
import subprocess

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from assistants.test_mcp import Assistant
from programs import HF2MS, ROOT, environment

PAGE = (ROOT / "docs/assistants.md").read_text()
PATH = f"{HF2MS.parent}:{os.environ['PATH']}"
# Keeps a server as it was added. Form: code.claude.com/docs, `claude mcp add NAME [options] -- COMMAND [args..]`.
CLAUDE = """#!/bin/sh
[ "$1 $2 $4" = "mcp add --" ] || exit 2
name=$3; shift 4
printf '%s\\n' "$name" "$@" > "$ADDED"
"""


def command_lines():
    return [line.strip().split(" # ")[0].rstrip() for line in re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)]


def added_by_command(line, tmp_path):
    """The servers that Claude Code has after the line."""
    (tmp_path / "claude").write_text(CLAUDE)
    (tmp_path / "claude").chmod(0o755)
    added = tmp_path / "added"
    subprocess.run(["bash", "-c", line], env={"PATH": f"{tmp_path}:{PATH}", "ADDED": str(added)}, check=True)
    name, command, *args = added.read_text().splitlines()
    return {name: {"command": command, "args": args}}


def installed_by_plugin(add, install):
    """The servers of the plugin that the second line names, in the marketplace that the first line names."""
    assert add == ["/plugin", "marketplace", "add", "FOLDER"] and "the folder of this repository" in PAGE
    market = json.loads((ROOT / ".claude-plugin/marketplace.json").read_text())
    plugin, _, of = install[-1].partition("@")
    assert install[:2] == ["/plugin", "install"] and of == market["name"]
    [source] = [entry["source"] for entry in market["plugins"] if entry["name"] == plugin]
    assert (ROOT / source / "commands/migrate.md").is_file() and f"/{plugin}:migrate" in PAGE
    return json.loads((ROOT / source / ".mcp.json").read_text())["mcpServers"]


def talk(server, env, work):
    """Lets an official client start `server`, and returns what `work` does with its session."""

    async def main():
        started = StdioServerParameters(**server, env=environment("HOME", **env) | {"PATH": PATH})
        with open(os.devnull, "w") as log:
            async with stdio_client(started, errlog=log) as (read, write), ClientSession(read, write) as session:
                await session.initialize()
                return await work(session)

    return anyio.run(main)


def test_each_way_of_the_set_up_starts_the_server_of_the_table(tmp_path):
    [of_claude, add, install] = command_lines()
    [settings] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    ways = (added_by_command(of_claude, tmp_path), installed_by_plugin(shlex.split(add), shlex.split(install)), settings["mcpServers"])
    rows = {tool: changes.strip() != "no" for tool, _, changes in re.findall(r"^\| `(\w+)` \|(.*)\|([^|]+)\|$", PAGE, re.MULTILINE)}
    assert len(rows) == 9
    for servers in ways:
        [(name, server)] = servers.items()
        tools = talk(server, {"HF2MS_STATE": str(tmp_path / "state")}, lambda session: session.list_tools()).tools
        assert name == "hf2ms" and [tool.name for tool in tools] == list(rows)
        hints = {tool.name: tool.annotations for tool in tools}
        assert {tool: not hint.read_only_hint for tool, hint in hints.items()} == rows
        assert {tool: hint.destructive_hint for tool, hint in hints.items()} == rows


@pytest.mark.parametrize("args", [("--env-file", "FILE", "mcp"), ("mcp", "--env-file", "FILE"), ("mcp",)], ids=" ".join)
def test_an_env_file_before_or_after_the_verb_holds_for_the_tools(sandbox, tmp_path, args):
    id = "alice/of-an-env-file"
    sandbox.seed("hf", "model", id, {"path": "a.txt", "text": "a"}, private=True)
    (tmp_path / "FILE").write_text(f"HF_TOKEN={sandbox.hf_alice}\nMODELSCOPE_TOKEN={sandbox.ms_alice}\n")

    async def work(session):
        return await Assistant(session).call("plan", source=f"hf:{id}")

    env = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "HF2MS_STATE": str(tmp_path / "state")}
    failed, answer = talk({"command": "hf2ms", "args": list(args), "cwd": tmp_path}, env, work)
    assert failed == (args == ("mcp",)), answer
