"""The rule of messages: each error of the command line says what to do."""

from __future__ import annotations

import re
from typing import Iterator

from house.source import Rust, arguments

CALL = re.compile(r"\bCliError::(?:usage|refused|new)\s*(?=\()")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)

# A message says what to do by a verb, after what happened; or it says which form is expected.
VERBS = """add ask build change check chmod choose copy correct delete escape forward get give join leave look make move name pull raise read
remove rename run see set start stop support use wait write""".split()
ADVICE = re.compile(rf"(?:[:;,(]|\bor|\band|\bthen)\s+(?:{'|'.join(VERBS)})\b|\bexpected |\bhf2ms \w+", re.S)

# Errors without advice of their own: a file, a function, and why.
WITHOUT_ADVICE = (
    ("controller/src/args/route.rs", "parse", "the name says which form is expected"),
    ("controller/src/batch/list.rs", "named", "the id says which form is expected"),
    ("controller/src/batch/list.rs", "at", "names the line of an error that says what to do"),
    ("controller/src/batch/list.rs", "all_or_first", "counts the errors beside one that says what to do"),
    ("controller/src/batch/list.rs", "of_owner", "the id says which form is expected"),
    ("controller/src/batch/list.rs", "entry", "the id says which form is expected"),
    ("controller/src/batch/over.rs", "check", "repeats the error that ended the batch"),
    ("controller/src/batch/row.rs", "refused", "the reason says why the source's entry can't be copied"),
    ("controller/src/cli/unparsed.rs", "answer", "clap says which options and values there are"),
    ("controller/src/copy/backup.rs", "settle", "the worker's check says which option to give"),
    ("controller/src/binaries.rs", "find_worker", "the line says which program to install or to name"),
    ("controller/src/copy/decide.rs", "read_plan", "each caller says what to do"),
    ("controller/src/copy/deletions.rs", "confirm", "the user has said no, or the reason says which option to give"),
    ("controller/src/copy/inspect/app.rs", "look_at_app", "the SDK says which are known"),
    ("controller/src/copy/inspect/destination.rs", "may_write", "a unit test walks the remedies of all refusals"),
    ("controller/src/copy/permission.rs", "check_folders", "the plan's error says how to copy it"),
    ("controller/src/copy/plan.rs", "not_skipped", "the reason says which option to give"),
    ("controller/src/engine/job.rs", "into_error", "the reason ends with the remedy of its kind"),
    ("controller/src/estimate/confirm.rs", "confirm", "the user has said no"),
    ("controller/src/mirror/check.rs", "check", "the safeguard says what to check or give"),
    ("controller/src/mirror/run.rs", "dry_run", "the safeguard says what to check or give"),
    ("controller/src/mirror/scan_report.rs", "follow", "the safeguard says what to check or give"),
    ("controller/src/probe/mod.rs", "side_of", "the id says which form is expected"),
    ("controller/src/revisions/execute.rs", "write", "repeats the error that ended the others"),
    ("controller/src/revisions/rows.rs", "refused", "repeats what the maker of refs says, and what to do"),
    ("controller/src/revisions/summary.rs", "reported", "repeats the error of the first file that failed"),
    ("controller/src/revisions/summary.rs", "refused", "the reason says why the source's entry can't be copied"),
    ("controller/src/runs/mod.rs", "check_read", "the unread run says which version to use, or what to move away"),
    ("controller/src/settings/config/file.rs", "bad", "the reason says what is nearest, or which form is expected"),
    ("controller/src/settings/config/file.rs", "no_profile", "names the nearest profile, or says what to write"),
    ("controller/src/settings/config/candidates.rs", "refused", "clap says which values there are"),
    ("controller/src/settings/hub_errors.rs", "explain", "a unit test walks every kind of error"),
    ("controller/src/settings/sources.rs", "settings", "the setting's error says which form is expected"),
    ("controller/src/verbs/login.rs", "checked", "ends a hub's error, which says what to do"),
    ("controller/src/verbs/plan.rs", "simulate", "the simulation says to give a longer life"),
    ("controller/src/verbs/probe.rs", "agreed", "the user has said no"),
)


def without_remedy(files: list[Rust]) -> Iterator[tuple[str, int, str, str]]:
    """The place, the function and the words of each error that does not say what to do."""
    for file in files:
        functions = list(file.functions())
        for call in CALL.finditer(file.live):
            end = arguments(file.live, call.end())
            inside = [(name, start, close) for name, start, close in functions if start <= call.start() < close]
            name, start, close = inside[-1] if inside else ("?", call.start(), end)
            own = LITERAL.findall(file.text, call.end(), end)
            if re.search(r"\bremedy\w*\(", file.live[call.end() : end]):
                continue
            words = " ".join(own or LITERAL.findall(file.text, start, close))
            if not ADVICE.search(re.sub(r"\\\n\s*", "", words)):
                yield file.path, file.line(call.start()), name, words
