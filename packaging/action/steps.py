"""The steps of action.yml: install, plan, copy. Inputs are variables, so that no text of a workflow becomes a part of a command.

    steps.py install|plan|copy

The runner gives GITHUB_PATH, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and RUNNER_TEMP. The exit code is that of hf2ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

# On PyPI `hf2ms` is another project.
PACKAGE = "hf2ms-cli"
ROOT = Path(__file__).resolve().parent.parent.parent
# What an exit code of hf2ms means (docs/reference.md).
MEANINGS = {
    0: "done and verified",
    1: "some files are missing: run it again",
    2: "the inputs are wrong",
    3: "refused: look at the token, the permission and the name",
    4: "the content is not what its hub lists",
    130: "interrupted: run it again",
}


def value(name: str) -> str:
    return os.environ.get(f"INPUT_{name}", "").strip()


def tokens() -> None:
    """Tokens of the inputs become variables of hf2ms; what the job's own `env` has stays where an input is empty."""
    for name in ("HF_TOKEN", "MODELSCOPE_TOKEN"):
        if token := value(name):
            os.environ[name] = token


def append(variable: str, text: str) -> None:
    with open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write(text + "\n")


def plain(text: object) -> str:
    """Text of a hub, which may not become Markdown or HTML."""
    return re.sub(r"[`|<>\x00-\x1f\x7f]", "?", str(text))


@contextlib.contextmanager
def without_commands():
    """Whatever is printed meanwhile, no line of it is a command to the runner: files may be named `::error::x`."""
    resume = secrets.token_hex(16)
    print(f"::stop-commands::{resume}", flush=True)
    try:
        yield
    finally:
        print(f"::{resume}::", flush=True)


def version() -> str:
    """The version that is asked for: by default that of this action, which Cargo.toml has."""
    return value("VERSION") or re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


def install() -> int:
    """Installs hf2ms by pip, unless the PATH has that version."""
    if found := shutil.which("hf2ms"):
        told = subprocess.run([found, "--version"], capture_output=True, text=True).stdout.split()
        if told[1:2] == [version()]:
            print(f"hf2ms {version()} is installed: {found}")
            return 0
    # A folder of its own needs no environment, and no leave of a Python that the system manages.
    folder = Path(os.environ["RUNNER_TEMP"]) / "hf2ms-program"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", str(folder)]
    pip.append(f"{PACKAGE}=={version()}")
    if subprocess.run(pip).returncode:
        print(f"::error title=hf2ms::{PACKAGE} {version()} can't be installed: check the input version and the network")
        return 2
    append("GITHUB_PATH", str(folder / "bin"))
    return 0


def command(*more: str) -> list[str]:
    """The command of the inputs. A runner has no terminal, so nothing is asked."""
    names = [name for name in (value("SOURCE"), value("DESTINATION")) if name]
    return ["hf2ms", "migrate", *names, *shlex.split(value("ARGUMENTS"), comments=True), *more]


def state() -> Path:
    """Where hf2ms keeps its runs: a folder of the job, which the artifact holds."""
    return Path(os.environ.setdefault("HF2MS_STATE", str(Path(os.environ["RUNNER_TEMP"]) / "hf2ms-state")))


def plan() -> int:
    """Writes into the step's summary what a copy would do."""
    state()
    with without_commands():
        ran = subprocess.run(command("--dry-run", "--json"), stdout=subprocess.PIPE, text=True)
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    lines = ["### Plan of hf2ms", ""]
    for event in events:
        lines += told(event)
    if len(lines) == 2:
        lines.append("Nothing is to be copied.")
    append("GITHUB_STEP_SUMMARY", "\n".join(lines) + "\n")
    with without_commands():
        print("\n".join(lines))
    return ran.returncode


def told(event: dict) -> list[str]:
    """The lines of the summary for an event of `--json` (docs/json.md)."""
    match event["event"]:
        case "planned":
            summary = event["summary"]
            rows = {"from": event["source"], "to": event["destination"]}
            lines = ["| | |", "|---|---|"]
            lines += [f"| {name} | `{plain(at['hub'])}:{plain(at['id'])}` at `{plain(at['revision'])}` |" for name, at in rows.items()]
            lines += [f"| {name.replace('_', ' ')} | {number:,} |" for name, number in summary.items() if isinstance(number, int) and number]
            return [*lines, ""]
        case "deletions":
            return [f"{len(event['paths'])} files would be deleted at the destination.", ""]
        case "warning" | "error":
            return [f"- {event['event']}: {plain(event['message'])}"]
    return []


def copy() -> int:
    """Copies, with plain lines in the log; then the report goes into the summary and the outputs."""
    runs = state() / "runs"
    before = set(runs.glob("*"))
    with without_commands():
        code = subprocess.run(command()).returncode
    append("GITHUB_OUTPUT", f"exit-code={code}")
    meaning = MEANINGS.get(code, f"exit code {code}")
    lines = [f"### hf2ms: {meaning}", ""]
    if made := sorted(set(runs.glob("*")) - before):
        append("GITHUB_OUTPUT", f"runs={runs}")
        if report := report_of(made[-1].name):
            append("GITHUB_OUTPUT", f"url={plain(report['url'])}")
            lines += reported(report)
    append("GITHUB_STEP_SUMMARY", "\n".join(lines) + "\n")
    if code:
        print(f"::error title=hf2ms::{meaning}")
    return code


def report_of(run: str) -> dict | None:
    """The report of a run, if it got so far."""
    told = subprocess.run(["hf2ms", "status", run, "--json"], stdout=subprocess.PIPE, text=True).stdout
    events = [json.loads(line) for line in told.splitlines()]
    return next((event["report"] for event in events if event.get("report")), None)


def reported(report: dict) -> list[str]:
    """The lines of the summary for a report."""
    counts = {name: report[name] for name in ("files", "bytes", "moved", "moved_bytes", "unchanged", "deleted", "seconds")}
    verified = (report.get("verification") or {}).get("level", "no")
    lines = [f"Copied to {plain(report['url'])}", "", "| | |", "|---|---|", f"| verified | {verified} |"]
    lines += [f"| {name.replace('_', ' ')} | {round(number, 1):,} |" for name, number in counts.items() if number]
    failed = report["failed"][:20]
    return [*lines, "", *(f"- failed: `{plain(file['path'])}`: {plain(file['error'])}" for file in failed)]


if __name__ == "__main__":
    tokens()
    sys.exit({"install": install, "plan": plan, "copy": copy}[sys.argv[1]]())
