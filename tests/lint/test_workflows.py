"""The workflows are those that GitHub takes, and use no action that can be changed behind their back; shell scripts have no findings."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from programs import ROOT

LINTER = Path(sys.executable).with_name("jactionlint")
WORKFLOWS = ROOT / ".github/workflows"


def lint(*files):
    return subprocess.run([LINTER, "--strict-exit", "--no-hints", *files], cwd=ROOT, capture_output=True, text=True)


def test_the_workflows_and_the_action_have_no_findings():
    ran = lint()
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_mistake_is_found(tmp_path):
    broken = tmp_path / "release.yml"
    broken.write_text((WORKFLOWS / "release.yml").read_text().replace("needs: [notes, linux, others]", "needs: [notes, linux, nobody]"))
    assert lint(broken).returncode == 1


def test_each_action_is_named_by_its_commit():
    for workflow in [*WORKFLOWS.glob("*.yml"), ROOT / "action.yml"]:
        for action in re.findall(r"uses: (\S+)", workflow.read_text()):
            assert re.search(r"@[0-9a-f]{40}$", action), f"{workflow.name}: {action}"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_shell_scripts_have_no_findings():
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / "packaging/install.sh"]
    subprocess.run(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *scripts], check=True)
