"""The plugin: its manifests, and its command lines on the sandbox."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi
from jsonschema import Draft7Validator
from modelscope_hub import HubApi

from programs import HF2MS, ROOT, environment
from servers.sandbox import Sandbox

PLUGIN = ROOT / "plugin"
PAGES = sorted(PLUGIN.rglob("*.md"))
MARKET = ROOT / ".claude-plugin/marketplace.json"
# What has a form, and the schema of it: written from the public documentation that each schema names.
FORMS = {
    MARKET: "marketplace",
    PLUGIN / ".claude-plugin/plugin.json": "plugin",
    PLUGIN / ".mcp.json": "mcp",
    PLUGIN / "skills/migrate/SKILL.md": "skill",
    PLUGIN / "commands/migrate.md": "command",
}
# Changes, each of which makes a thing of another form.
BREAKS = {
    "marketplace": (('"owner"', '"owners"'), ('"./plugin"', '"plugin"'), ('"plugins": [', '"plugins": [{},')),
    "plugin": (('"version": "', '"version": "v'), ('"name": "hf2ms",', '"name": "HF 2 MS",'), ('{ "name": "hf2ms maintainers" }', '"hf2ms maintainers"')),
    "mcp": (('"mcpServers"', '"servers"'), ('["mcp"]', '"mcp"'), ('"command"', '"cmd"')),
    "skill": (("name: migrate", "name: Migrate"), ("description:", "descriptions:"), ("description: ", "description: " + 1024 * "x"), ("description: ", "description: a: ")),
    "command": (("description:", "about:"), ('"[repository] [to where]', "[repository] [to where]"), ("argument-hint", "arguments")),
}


def read(path):
    return json.loads(path.read_text())


def front_matter(text):
    """The keys and values at the head of a page."""
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def errors(path, text):
    """What keeps a manifest, or the head of a page, from having the form of its schema."""
    schema = read(Path(__file__).with_name("schemas") / f"{FORMS[path]}.schema.json")
    try:
        content = front_matter(text) if path.suffix == ".md" else json.loads(text)
    except (yaml.YAMLError, ValueError) as error:
        return [str(error)]
    return [error.message for error in Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).iter_errors(content)]


def command_lines(page):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("path", FORMS, ids=FORMS.get)
def test_the_plugin_has_the_form_of_its_schemas_and_any_other_is_found(path):
    text = path.read_text()
    assert errors(path, text) == []
    for old, new in BREAKS[FORMS[path]]:
        assert old in text and errors(path, text.replace(old, new, 1)), new


def test_the_manifests_name_what_is_there():
    market, plugin = read(MARKET), read(PLUGIN / ".claude-plugin/plugin.json")
    [entry] = market["plugins"]
    assert (ROOT / entry["source"]).resolve() == PLUGIN and entry["name"] == plugin["name"]
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert (plugin["version"], plugin["license"]) == (workspace["version"], workspace["license"])
    skill = PLUGIN / "skills/migrate/SKILL.md"
    assert front_matter(skill.read_text())["name"] == skill.parent.name
    [server] = read(PLUGIN / ".mcp.json")["mcpServers"].values()
    assert server == {"command": "hf2ms", "args": ["mcp"]}


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
