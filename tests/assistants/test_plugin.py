"""The plugin: its manifests, and its command lines on the sandbox."""

import json
import re
import shlex
import subprocess
import tomllib

import pytest
from huggingface_hub import HfApi
from modelscope_hub import HubApi

from programs import HF2MS, ROOT, environment
from servers.sandbox import Sandbox

PLUGIN = ROOT / "plugin"
PAGES = sorted(PLUGIN.rglob("*.md"))
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def read(path):
    return json.loads(path.read_text())


def front_matter(page):
    """The keys and values at the head of a page."""
    _, head, _ = page.read_text().split("---\n", 2)
    return dict(line.split(": ", 1) for line in head.splitlines())


def command_lines(page):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_the_manifests_name_what_is_there():
    """Keys and forms: code.claude.com/docs, plugins reference and plugin marketplaces."""
    market, plugin = read(ROOT / ".claude-plugin/marketplace.json"), read(PLUGIN / ".claude-plugin/plugin.json")
    assert market.keys() <= {"name", "owner", "metadata", "plugins"} and market["owner"]["name"]
    [entry] = market["plugins"]
    assert entry.keys() <= {"name", "source", "description", "version", "category", "keywords"}
    assert (ROOT / entry["source"]).resolve() == PLUGIN and entry["name"] == plugin["name"]
    assert plugin.keys() <= {"name", "version", "description", "author", "homepage", "repository", "license", "keywords"}
    assert all(NAME.fullmatch(name) for name in (market["name"], plugin["name"]))
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert (plugin["version"], plugin["license"]) == (workspace["version"], workspace["license"])
    [server] = read(PLUGIN / ".mcp.json")["mcpServers"].values()
    assert server == {"command": "hf2ms", "args": ["mcp"]}


def test_the_skill_and_the_command_say_what_they_are_for():
    skill = front_matter(PLUGIN / "skills/migrate/SKILL.md")
    assert skill["name"] == "migrate" and 100 < len(skill["description"]) <= 1024
    command = front_matter(PLUGIN / "commands/migrate.md")
    assert command.keys() == {"description", "argument-hint"}


def test_each_link_of_a_page_leads_to_a_page():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#]+)\)", page.read_text())]
    assert links and all((page.parent / link).is_file() for page, link in links), links


def test_the_program_prints_the_skill():
    printed = subprocess.run([HF2MS, "skill"], capture_output=True, text=True, check=True).stdout
    assert printed == (PLUGIN / "skills/migrate/SKILL.md").read_text()


@pytest.fixture(scope="module")
def hubs(tmp_path_factory):
    """Hubs with no other repos than those that the pages name."""
    with Sandbox(tmp_path_factory.mktemp("hubs"), hf_whoami_quota=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def owned(hubs, tmp_path_factory):
    """Repos as the pages name them, `org` and `me` being alice, and how a command line is run with them."""
    hubs.seed("hf", "model", "alice/name", {"path": "w.safetensors", "size": 100_000, "seed": 1}, {"path": "README.md", "text": "# it"})
    state = tmp_path_factory.mktemp("plugin")
    variables = {"HF_ENDPOINT": hubs.hf, "HF_TOKEN": hubs.hf_alice, "MODELSCOPE_ENDPOINT": hubs.ms, "MODELSCOPE_TOKEN": hubs.ms_alice}
    env = environment("HOME", **variables, HF2MS_STATE=str(state / "state"))

    def run(line):
        program, *words = shlex.split(re.sub(r"\b(org|me)(?=[/ ]|$)", "alice", line))
        assert program == "hf2ms", line
        return subprocess.run([HF2MS, *words], env=env, cwd=state, capture_output=True, text=True, timeout=120)

    copied = run("hf2ms migrate org/name ms:me/name")
    assert copied.returncode == 0, copied.stdout + copied.stderr
    return run


@pytest.mark.parametrize("page", [page for page in PAGES if command_lines(page)], ids=lambda page: page.name)
def test_each_command_line_works(owned, page):
    for line in command_lines(page):
        done = owned(line)
        assert done.returncode == 0, line + done.stdout + done.stderr


def test_the_clients_have_the_calls_that_the_page_names():
    rows = [line.split("|")[2:4] for line in (PLUGIN / "skills/migrate/references/hub-api.md").read_text().splitlines() if line.startswith("| ")]
    named = {client: re.findall(r"`([a-z_]+)\(", " ".join(cells)) for client, cells in zip((HfApi, HubApi), zip(*rows))}
    assert all(len(calls) >= 8 for calls in named.values()), named
    assert [call for client, calls in named.items() for call in calls if not hasattr(client, call)] == []
