"""What a person is asked before --prune deletes: the files by name, and nothing is written after a no."""

import os

from terminal.terminal import Terminal


def asked(lines):
    return any("Delete 1 file (old.txt) of alice/pruned on ModelScope? [y/N]" in line for line in lines)


def paths(sandbox):
    return {file["path"] for file in sandbox.repo("ms", "model", "alice/pruned")["files"]}


def answered(sandbox, folder, answer):
    with Terminal(sandbox, folder, 120, "migrate", "alice/pruned", "--prune") as terminal:
        terminal.until(asked)
        os.write(terminal.master, answer)
        return terminal.end()


def test_a_person_is_asked_by_name_and_a_no_writes_nothing(sandbox, tmp_path):
    sandbox.seed("hf", "model", "alice/pruned", {"path": "a.txt", "text": "a"}, message="m")
    with Terminal(sandbox, tmp_path, 120, "migrate", "alice/pruned") as terminal:
        assert terminal.end()[0] == 0
    sandbox.seed("ms", "model", "alice/pruned", {"path": "old.txt", "text": "old"}, message="m")
    code, last = answered(sandbox, tmp_path, b"n\n")
    assert code == 130 and any("not confirmed: nothing was written" in line for line in last), last
    assert "old.txt" in paths(sandbox)
    code, last = answered(sandbox, tmp_path, b"y\n")
    assert code == 0 and any("deleted     1 file (old.txt)" in line for line in last), last
    assert "old.txt" not in paths(sandbox) and "README.md" in paths(sandbox)
