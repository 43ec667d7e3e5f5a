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
import signal
import subprocess
import sys
from pathlib import Path

# On PyPI `hf2ms` is another project.
PACKAGE = "hf2ms-cli"
ROOT = Path(__file__).resolve().parent.parent.parent
# What an exit code of hf2ms means (docs/reference.md).
MEANINGS = {
    0: "done and verified",
    1: "incomplete: the log says what is missing, and whether another run brings it",
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
    try:
        options = shlex.split(value("ARGUMENTS"))
    except ValueError as error:
        print(f"::error title=hf2ms::the input arguments can't be read: {error}; close what is quoted")
        sys.exit(2)
    # hf2ms takes no option twice, and the arguments may have it.
    return ["hf2ms", "migrate", *names, *options, *(option for option in more if option not in options)]


def followed(words: list[str]) -> int:
    """Runs a command to its end and returns its exit code. A signal is its own: a cancelled workflow ends in order."""
    process = subprocess.Popen(words)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _: process.send_signal(number))
    return process.wait()


def state() -> Path:
    """Where hf2ms keeps its runs: a folder of the job, which the artifact holds."""
    return Path(os.environ.setdefault("HF2MS_STATE", str(Path(os.environ["RUNNER_TEMP"]) / "hf2ms-state")))


def plan() -> int:
    """Writes into the step's summary what a copy would do."""
    state()
    words = command("--dry-run", "--json")
    with without_commands():
        ran = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    lines = ["### Plan of hf2ms", ""]
    for event in events:
        lines += told(event)
    if len(lines) == 2:
        lines.append(f"There is no plan: exit code {ran.returncode}." if ran.returncode else "Nothing is to be copied.")
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
        case "estimate":
            bound = "at most " if event["up_to"] else ""
            return [f"To move: {bound}{event['to_move']:,} files, {event['to_move_bytes']:,} bytes.", ""]
        case "revisions":
            return revisions(event["revisions"])
        case "deletions":
            return [f"{len(event['paths'])} files would be deleted at the destination.", ""]
        case "warning" | "error":
            return [f"- {event['event']}: {plain(event['message'])}"]
    return []


def revisions(rows: list[dict]) -> list[str]:
    """The branches and tags of a repo as a table."""
    lines = ["| revision | destination | state | files | bytes | reason |", "|---|---|---|---|---|---|"]
    for row in rows:
        counts = " | ".join("" if row[name] is None else f"{row[name]:,}" for name in ("files", "bytes"))
        lines.append(f"| {row['kind']} `{plain(row['source'])}` | `{plain(row['destination'])}` | {row['state']} | {counts} | {plain(row['reason'] or '')} |")
    return [*lines, ""]


def copy() -> int:
    """Copies, with plain lines in the log; then the result goes into the summary and the outputs."""
    runs = state() / "runs"
    before = set(runs.glob("*"))
    # Said at once, so that the artifact is made of a copy that is killed, too.
    append("GITHUB_OUTPUT", f"runs={runs}")
    words = command()
    with without_commands():
        code = followed(words)
    append("GITHUB_OUTPUT", f"exit-code={code}")
    # Of a copy of all revisions the first run has the results of all.
    made = sorted(set(runs.glob("*")) - before)
    status = status_of(made[0].name) if made else None
    meaning = meant(code, status)
    lines = [f"### hf2ms: {meaning}", "", *(resulted(status) if status else [])]
    if status and status["report"]:
        append("GITHUB_OUTPUT", f"url={plain(status['report']['url'])}")
    append("GITHUB_STEP_SUMMARY", "\n".join(lines) + "\n")
    if code:
        print(f"::error title=hf2ms::{meaning}")
    return code


def meant(code: int, status: dict | None) -> str:
    """The result in words. A code of 0 alone does not say that there is a copy."""
    if code == 0 and status is None:
        return "nothing was copied: all is there already, or the arguments ask for no copy"
    if code == 0 and status["record"]["state"] != "done":
        return "started: the copy goes on without this job"
    return MEANINGS.get(code, f"exit code {code}")


def status_of(run: str) -> dict | None:
    """The status of a run, if it got so far."""
    ran = subprocess.run(["hf2ms", "status", run, "--json"], stdout=subprocess.PIPE, text=True).stdout
    events = [json.loads(line) for line in ran.splitlines()]
    return next((event for event in events if event["event"] == "status"), None)


def resulted(status: dict) -> list[str]:
    """The lines of the summary for a run, or for the revisions of which it is the first."""
    if kept := status["revisions"]:
        url = [f"To {plain(status['report']['url'])}", ""] if status["report"] else []
        unfinished = [] if kept["exit"] is not None else ["Not all branches and tags were reached."]
        return [*url, *revisions(kept["revisions"]), *unfinished]
    if status["report"]:
        return reported(status["report"])
    return [f"- {plain(reason)}"] if (reason := status["record"].get("reason")) else []


def reported(report: dict) -> list[str]:
    """The lines of the summary for a report."""
    counts = {name: report[name] for name in ("files", "bytes", "moved", "moved_bytes", "unchanged", "deleted", "seconds")}
    verified = (report.get("verification") or {}).get("level", "no")
    lines = [f"To {plain(report['url'])}", "", "| | |", "|---|---|", f"| verified | {verified} |"]
    lines += [f"| {name.replace('_', ' ')} | {round(number, 1):,} |" for name, number in counts.items() if number]
    failed = report["failed"][:20]
    return [*lines, "", *(f"- failed: `{plain(file['path'])}`: {plain(file['error'])}" for file in failed)]


if __name__ == "__main__":
    tokens()
    sys.exit({"install": install, "plan": plan, "copy": copy}[sys.argv[1]]())
