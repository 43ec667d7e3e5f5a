"""action.yml: its steps run as a runner of GitHub would run them, between the sandbox's hubs."""

import os
import re
import subprocess
import sys
import zipfile

import pytest
import yaml

from programs import HF2MS, PATIENCE, ROOT, environment, until

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


class Runner:
    """What a runner does with a composite action: conditions, inputs, the files that steps write, and the code of the first that fails."""

    def __init__(self, folder, variables):
        self.folder, self.variables = folder, variables
        self.outputs, self.said, self.kept = {}, "", None
        for name in ("summary", "path"):
            (folder / name).write_text("")

    def run(self, **inputs):
        given = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()} | inputs
        code = 0
        for step in ACTION["runs"]["steps"]:
            condition = step.get("if", "")
            if code and "always()" not in condition:
                continue
            if "inputs.plan" in condition and given["plan"] != "true":
                continue
            if "run" in step:
                code = self.step(step, given) or code
            elif self.outputs.get("copy", {}).get("runs"):
                self.kept = self.resolved(step["with"], given)
        return code

    def resolved(self, values, given):
        """`${{ .. }}` of inputs and of steps' outputs replaced."""

        def one(found):
            kind, *rest = found[1].strip().split(".")
            return given[rest[0]] if kind == "inputs" else self.outputs[rest[0]].get(rest[2], "")

        return {name: re.sub(r"\$\{\{(.*?)\}\}", one, str(value)) for name, value in values.items()}

    def step(self, step, given, meanwhile=lambda process: None):
        output = self.folder / "output"
        output.write_text("")
        files = {"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": self.folder / "summary", "GITHUB_PATH": self.folder / "path"}
        more = {name: str(path) for name, path in files.items()} | {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(self.folder)}
        variables = self.variables | more | self.resolved(step.get("env", {}), given)
        if added := self.text("path").split():
            variables["PATH"] = ":".join([*reversed(added), variables["PATH"]])
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        (self.folder / "script").write_text(step["run"])
        with subprocess.Popen(["bash", "-eo", "pipefail", "script"], env=variables, cwd=self.folder, **pipes) as process:
            meanwhile(process)
            self.said += process.communicate(timeout=PATIENCE)[0]
        self.outputs[step.get("id", step["name"])] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return process.returncode

    def text(self, name):
        return (self.folder / name).read_text()


@pytest.fixture
def runner(sandbox, tmp_path):
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms}
    variables = environment(HOME=str(tmp_path), **hubs)
    variables["PATH"] = f"{HF2MS.parent}:{os.path.dirname(sys.executable)}:{variables['PATH']}"
    return Runner(tmp_path, variables)


def model(sandbox, name, *more):
    sandbox.seed("hf", "model", name, {"path": "README.md", "text": f"# {name}\n"}, {"path": "a.safetensors", "size": 300_000, "seed": 4177}, *more, message="m")
    return name


def test_a_copy_with_its_plan_its_report_and_its_outputs(sandbox, runner):
    code = runner.run(source=model(sandbox, "alice/by-action"), arguments="--private\n--exclude '*.md'", **{"modelscope-token": sandbox.ms_alice})
    assert code == 0, runner.said
    stored = sandbox.stored("ms", "model", "alice/by-action")
    assert stored["a.safetensors"][1] == 300_000
    assert runner.outputs["copy"]["exit-code"] == "0" and runner.outputs["copy"]["url"] == f"{sandbox.ms}/models/alice/by-action"
    summary = runner.text("summary")
    assert "### Plan of hf2ms" in summary and "`huggingface:alice/by-action`" in summary, summary
    assert "### hf2ms: done and verified" in summary and "| moved bytes | 300,000 |" in summary, summary
    assert list((runner.folder / "hf2ms-state/runs").glob("*/report.json")), "the artifact has the report"
    assert (runner.kept["name"], runner.kept["path"]) == ("hf2ms-report", str(runner.folder / "hf2ms-state/runs"))
    kept = "".join(path.read_text() for path in (runner.folder / "hf2ms-state/runs").rglob("*") if path.is_file())
    assert sandbox.ms_alice not in summary + runner.said + kept


def test_the_code_of_a_copy_that_fails_is_that_of_the_action(sandbox, runner):
    model(sandbox, "alice/by-action-in-part", {"path": "b.safetensors", "size": 200_000, "seed": 4})
    sandbox.fault("ms_storage.put", "status", count=1000, status=403)
    code = runner.run(source="alice/by-action-in-part", plan="false", **{"modelscope-token": sandbox.ms_alice})
    assert code == int(runner.outputs["copy"]["exit-code"]) != 0, runner.said
    assert "### Plan" not in runner.text("summary") and "::error title=hf2ms::" in runner.said


def test_a_copy_of_all_revisions_tells_of_each(sandbox, runner):
    """The newest run is of one branch only, so its report alone would be false."""
    seed = lambda file, **more: sandbox.seed("hf", "model", "alice/by-action-all", file, **more)  # noqa: E731
    seed({"path": "a.bin", "size": 30_000, "seed": 4181}, branches=["dev"], tags=["v1"])
    seed({"path": "lost.bin", "size": 30_000, "seed": 4182, "missing": True}, revision="dev")
    code = runner.run(source="alice/by-action-all", arguments="--all-revisions", **{"modelscope-token": sandbox.ms_alice})
    planned, copied = runner.text("summary").split("### hf2ms: ")
    assert code == 1 and "Nothing is to be copied" not in planned and "To move: 3 files, 60,000 bytes." in planned, planned
    assert "| branch `dev` | `dev` | planned | 2 | 60,000 |" in planned, planned
    for row in ("| branch `main` | `master` | copied | 1 | 30,000 |  |", "| tag `v1` | `v1` | copied |", "| branch `dev` | `dev` | failed | 2 | 60,000 | lost.bin: "):
        assert row in copied, copied
    assert copied.startswith("incomplete: the log says") and runner.outputs["copy"]["url"] == f"{sandbox.ms}/models/alice/by-action-all"


def test_a_trial_is_not_called_a_copy(sandbox, runner):
    name = model(sandbox, "alice/by-action-tried")
    code = runner.run(source=name, arguments="--dry-run", **{"modelscope-token": sandbox.ms_alice})
    summary = runner.text("summary")
    assert code == 0 and "To move: 2 files, " in summary, runner.said
    assert "### hf2ms: nothing was copied" in summary and "done and verified" not in summary, summary


def commands(said):
    """The lines that a runner takes for commands."""
    found, resume = [], None
    for line in map(str.strip, said.splitlines()):
        if resume:
            resume = None if line == f"::{resume}::" else resume
        elif line.startswith("::stop-commands::"):
            resume = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    return found


def test_no_name_of_a_file_is_a_command_to_the_runner(sandbox, runner):
    model(sandbox, "alice/named-as-a-command", {"path": "::error::owned", "size": 200_000, "seed": 6})
    sandbox.fault("ms_storage.put", "status", count=1000, status=403)
    runner.run(source="alice/named-as-a-command", **{"modelscope-token": sandbox.ms_alice, "arguments": "--verbose"})
    assert "::error::owned" in runner.said, runner.said
    assert [line.split("::")[1] for line in commands(runner.said)] == ["error title=hf2ms"], runner.said


def test_a_workflow_that_is_cancelled_ends_in_order(sandbox, runner):
    model(sandbox, "alice/cancelled", {"path": "b.safetensors", "size": 3_000_000, "seed": 8})
    sandbox.fault("ms_storage.put", "slow", count=10, bytes_per_second=10_000)
    begun = sandbox.counted("ms_storage.put")["requests"]

    def cancel(process):
        until(lambda: sandbox.counted("ms_storage.put")["requests"] > begun)
        process.terminate()

    copy = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "copy")
    given = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()}
    code = runner.step(copy, given | {"source": "alice/cancelled", "modelscope-token": sandbox.ms_alice}, cancel)
    assert (code, runner.outputs["copy"]["exit-code"]) == (130, "130"), runner.said
    assert "interrupted" in runner.text("summary") and list((runner.folder / "hf2ms-state/runs").glob("*/run.json"))


def test_a_refusal_ends_at_the_plan(sandbox, runner):
    assert runner.run(source=model(sandbox, "alice/by-action-refused")) == 3
    assert "MODELSCOPE_TOKEN is not set" in runner.text("summary") and "copy" not in runner.outputs


def test_no_input_becomes_a_part_of_a_script():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}")), "actions of others are pinned"


def test_an_input_is_one_argument(sandbox, runner):
    assert runner.run(source="alice/x; touch owned", plan="false", **{"modelscope-token": sandbox.ms_alice}) == 2
    assert not (runner.folder / "owned").exists()
    assert runner.run(source="alice/x", arguments="--include 'open") == 2 and "close what is quoted" in runner.said


def test_the_version_of_the_action_is_installed(runner):
    """A wheel whose program is the built one stands for the published wheel."""
    wheels = runner.folder / "wheels"
    wheels.mkdir()
    name = f"hf2ms_cli-{VERSION}"
    with zipfile.ZipFile(wheels / f"{name}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo(f"{name}.data/scripts/hf2ms")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, f'#!/bin/sh\nexec "{HF2MS}" "$@"\n')
        wheel.writestr(f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: hf2ms-cli\nVersion: {VERSION}\n")
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    runner.variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    install = ACTION["runs"]["steps"][0]
    assert runner.step(install, {"version": "9.9.9"}) == 2 and "check the input version" in runner.said
    assert runner.step(install, {"version": ""}) == 0, runner.said
    program = f"{runner.text('path').split()[0]}/hf2ms"
    assert subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[1] == VERSION
