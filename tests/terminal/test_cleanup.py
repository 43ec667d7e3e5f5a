"""What a person is asked before a source is deleted, and what happens at either side while that person thinks."""

import sys

import pytest
from huggingface_hub import HfApi

from programs import HF2MS
from terminal.terminal import Terminal

# Runs a program in the background of the terminal, where none of its parents is left: the system lets it write there, and refuses to drop
# what was typed (termios(3), EIO).
ORPHAN = """
import os, sys
ended, is_running = os.pipe()
os.set_inheritable(is_running, True)
if os.fork() == 0:
    middle = os.getpid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        while os.getppid() == middle:
            pass
        os.execv("/bin/sh", ["sh", "-c", '"$@"; echo "code $?"', "sh", *sys.argv[1:]])
    os._exit(0)
os.close(is_running)
os.read(ended, 1)
"""


def asked(id):
    return lambda lines: any(f"Type {id} to agree:" in line for line in lines)


@pytest.fixture
def copied(sandbox, tmp_path):
    """A model of a name of its own with a whole copy."""

    def make(id):
        sandbox.seed("hf", "model", id, {"path": "a.bin", "size": 200_000, "seed": 3}, {"path": "README.md", "text": "# a\n"}, message="m")
        with Terminal(sandbox, tmp_path, 200, "migrate", id) as terminal:
            assert terminal.end()[0] == 0
        return id

    return make


def cleanup(sandbox, folder, id, *more):
    return Terminal(sandbox, folder, 200, "cleanup", id, "--history-may-go", *more, HF_TOKEN=sandbox.hf_alice)


def is_there(sandbox, id):
    return any(repo["id"] == id for repo in sandbox.ask("GET", "/repos", hub="hf"))


def screen(lines):
    return "\n".join(lines)


def test_the_question_names_both_sides_and_only_the_very_id_deletes(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-typed")
    head = sandbox.repo("hf", "model", id)["branches"]["main"]
    copy = sandbox.repo("ms", "model", id)["branches"]["master"]
    for almost in (id.upper(), id[:-1], "y", " " + id, ""):
        with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
            shown = screen(terminal.until(asked(id)))
            assert f"About to delete: model {id} on Hugging Face, at commit {head}" in shown, shown
            assert f"its copy: model {id} on ModelScope, at commit {copy}" in shown, shown
            assert "lost with it: history" in shown, shown
            terminal.type(almost + "\n")
            code, last = terminal.end()
        assert code == 130 and f"not confirmed: {id} is kept" in screen(last), screen(last)
        assert is_there(sandbox, id)
    with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
        terminal.until(asked(id))
        terminal.type(id + "\n")
        code, last = terminal.end()
    assert code == 0 and "deleted" in screen(last), screen(last)
    assert not is_there(sandbox, id)


def test_the_end_of_the_input_agrees_to_nothing_and_is_said_on_a_line_of_its_own(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-ended")
    with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
        shown = screen(terminal.until(asked(id)))
        terminal.type("\x04")
        code, last = terminal.end()
    assert "compared    1 branch or tag: by digest" in shown, shown
    said = f"error: not confirmed: {id} is kept, since nothing was typed"
    assert code == 130 and any(line.startswith(said) for line in last), screen(last)
    assert is_there(sandbox, id)


def test_a_row_that_does_not_fit_has_a_line_for_each_cell(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-narrow")
    with Terminal(sandbox, tmp_path, 60, "cleanup", id, HF_TOKEN=sandbox.hf_alice) as terminal:
        code, last = terminal.end()
    assert code == 1 and any(line.split() == ["state", "stays"] for line in last), screen(last)


CHANGES = {
    "commit": lambda sandbox, id: sandbox.seed("ms", "model", id, {"path": "new.txt", "text": "new"}, message="m"),
    "private": lambda sandbox, id: sandbox.post("/repo", hub="ms", kind="model", id=id, private=True),
    "gated": lambda sandbox, id: sandbox.post("/repo", hub="ms", kind="model", id=id, gated=True),
    "disabled": lambda sandbox, id: sandbox.post("/repo", hub="ms", kind="model", id=id, disabled=True),
    "deleted": lambda sandbox, id: sandbox.ask("DELETE", "/repo", hub="ms", kind="model", id=id),
    "source": lambda sandbox, id: sandbox.seed("hf", "model", id, {"path": "new.txt", "text": "new"}, message="m"),
    "discussed": lambda sandbox, id: sandbox.post("/repo", hub="hf", kind="model", id=id, discussions=1),
    "hidden": lambda sandbox, id: sandbox.post("/repo", hub="hf", kind="model", id=id, private=True),
    "tag": lambda sandbox, id: sandbox.seed("hf", "model", id, message="m", revision="other"),
}


def test_a_source_that_is_renamed_while_a_person_thinks_is_kept_under_both_names(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-renamed")
    with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
        terminal.until(asked(id))
        HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice).move_repo(id, "alice/cleanup-new-name")
        terminal.type(id + "\n")
        code, last = terminal.end()
    assert code == 1 and "changed since the verification" in screen(last), screen(last)
    assert is_there(sandbox, "alice/cleanup-new-name")


def test_what_was_typed_before_the_question_agrees_to_nothing(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-ahead")
    with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
        terminal.type(id + "\n")
        terminal.until(asked(id))
        terminal.type("\n")
        code, last = terminal.end()
    assert code == 130 and f"not confirmed: {id} is kept" in screen(last), screen(last)
    assert is_there(sandbox, id)


def test_a_console_that_can_not_drop_what_was_typed_asks_nobody_and_says_what_to_give(sandbox, tmp_path, copied):
    id = copied("alice/cleanup-orphan")
    command = ["cleanup", id, "--history-may-go", "--delete"]
    with Terminal(sandbox, tmp_path, 200, "-c", ORPHAN, HF2MS, *command, program=sys.executable, HF_TOKEN=sandbox.hf_alice) as terminal:
        terminal.type(id + "\n")
        shown = screen(terminal.end()[1])
    assert "code 2" in shown and "this console can't drop what was typed before a question" in shown, shown
    assert "give --yes-delete 1" in shown and "is not what was typed" not in shown, shown
    assert is_there(sandbox, id)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_while_a_person_thinks_keeps_the_source(sandbox, tmp_path, copied, change):
    id = copied(f"alice/cleanup-{change}")
    with cleanup(sandbox, tmp_path, id, "--delete") as terminal:
        terminal.until(asked(id))
        CHANGES[change](sandbox, id)
        terminal.type(id + "\n")
        code, last = terminal.end()
    assert code == 1 and "changed since the verification" in screen(last), screen(last)
    assert is_there(sandbox, id)
