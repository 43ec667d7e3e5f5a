"""Files that other programs read have the form that those expect."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from programs import ROOT


def judged(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_action_has_the_form_of_github():
    said = judged("github-actions", ROOT / "action.yml")
    assert said.returncode == 0, said.stdout


def test_an_action_of_another_form_is_found(tmp_path):
    text = (ROOT / "action.yml").read_text().replace("shell: bash", "shel: bash", 1)
    (tmp_path / "action.yml").write_text(text)
    assert judged("github-actions", tmp_path / "action.yml").returncode == 1


def test_the_workflow_of_the_guide_is_one_that_the_action_takes(tmp_path):
    page = (ROOT / "docs/automation.md").read_text()
    text = page.split("## GitHub Actions\n```yaml\n")[1].split("```")[0]
    (tmp_path / "copy.yml").write_text(text)
    said = judged("github-workflows", tmp_path / "copy.yml")
    assert said.returncode == 0, said.stdout
    [step] = yaml.safe_load(text)["jobs"]["copy"]["steps"]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    repository = re.search(r'^repository = "https://github.com/(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert step["uses"].startswith(f"{repository}@") and set(step["with"]) <= set(inputs)
    assert all(f"`{name}`" in page for name in inputs), "each input is in the guide's table"


def test_the_devcontainer_calls_what_there_is():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    setup = (ROOT / "scripts/setup.sh").read_text()
    called = re.findall(r"\bsetup_\w+", container["postCreateCommand"])
    assert called and all(f"\n{name}() {{" in setup for name in called), called
    # The sandbox's Xet needs this much.
    assert int(re.search(r"rust:1\.(\d+)", container["image"])[1]) >= 95
