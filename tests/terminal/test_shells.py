"""At home in a terminal: completions by the Tab key of real shells, the pager of long help, colours, and tables that are much too wide."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from programs import HF2MS
from terminal.terminal import Terminal

BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")

# The settings of a shell whose user has what `hf2ms completions --install` asks for, and how it is started.
SHELLS = {
    "bash": (".bashrc", f". {BASH_COMPLETION}\nPS1='$ '\n", ["-i"]),
    "zsh": (".zshrc", "fpath=(~/.zfunc $fpath)\nautoload -Uz compinit && compinit -u\nPS1='$ '\n", ["-i"]),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo '$ '; end\nset fish_greeting\n", ["-i"]),
    "elvish": (".config/elvish/rc.elv", "use hf2ms-completions\nset edit:prompt = { put '$ ' }\nset edit:rprompt = { }\n", []),
}


def installed(shell, home):
    """A home with the shell's settings and our completions."""
    if not shutil.which(shell) or shell == "bash" and not BASH_COMPLETION.exists():
        pytest.skip(f"{shell}, or its package of completions, is not installed")
    name, settings, arguments = SHELLS[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(settings)
    there = {"HOME": str(home), "PATH": f"{HF2MS.parent}:{os.environ['PATH']}"}
    subprocess.run([HF2MS, "completions", "--install", shell], env=there, check=True, stdout=subprocess.DEVNULL)
    return arguments, there


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_a_verb_and_a_run(sandbox, tmp_path, shell):
    arguments, there = installed(shell, tmp_path)
    sandbox.seed("hf", "model", "alice/tab", {"path": "a.txt", "text": "a"}, message="m")
    with Terminal(sandbox, tmp_path, 120, "migrate", "alice/tab", "--yes") as terminal:
        assert terminal.end()[0] == 0
    run = next((tmp_path / "state/runs").iterdir()).name
    with Terminal(sandbox, tmp_path, 120, *arguments, program=shell, **there) as terminal:
        terminal.until(lambda lines: any(line.startswith("$") for line in lines))
        # The first Tab of a shell loads the file; it has to complete at once.
        terminal.type("hf2ms stat\t")
        terminal.until(lambda lines: any("hf2ms status" in line for line in lines))
        # Elvish puts no space behind a word; in the others one more does no harm.
        terminal.type(f" {run[:4]}\t")
        terminal.until(lambda lines: any(run in line for line in lines))


def text_of(terminal):
    code, last = terminal.end()
    assert code == 0, last
    return "\n".join(last)


def test_long_help_goes_through_the_pager_of_the_user(sandbox, tmp_path):
    pager = {"PAGER": "sed 's/^/paged: /'"}
    for arguments in (["--help"], ["migrate", "--help"], ["help", "migrate"], ["help", "private"]):
        with Terminal(sandbox, tmp_path, 120, *arguments, **pager) as terminal:
            assert "paged: " in text_of(terminal), arguments
        with Terminal(sandbox, tmp_path, 120, *arguments, term="dumb", **pager) as terminal:
            assert "paged: " not in text_of(terminal), arguments
    with Terminal(sandbox, tmp_path, 120, "--version", **pager) as terminal:
        assert "paged: " not in text_of(terminal)


def test_less_shows_what_does_not_fit_and_leaves_when_asked(sandbox, tmp_path):
    if not shutil.which("less"):
        pytest.skip("less is not installed")
    with Terminal(sandbox, tmp_path, 80, "migrate", "--help") as terminal:
        terminal.until(lambda lines: lines and lines[-1].startswith(":"))
        terminal.press_ctrl_c()
        # less drops the keys that were pressed before it notices Ctrl-C.
        for _ in range(200):
            if terminal.read():
                break
            terminal.type("q")
        assert terminal.end()[0] == 0
    # What fits needs no key.
    with Terminal(sandbox, tmp_path, 80, "skill", "--help", rows=60) as terminal:
        assert "Usage: hf2ms skill" in text_of(terminal)


def test_a_pager_that_is_not_there_costs_no_help(sandbox, tmp_path):
    with Terminal(sandbox, tmp_path, 80, "skill", "--help", rows=60, HF2MS_PAGER="no-such-pager") as terminal:
        assert "Usage: hf2ms skill" in text_of(terminal)


@pytest.mark.parametrize("variables, coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"CLICOLOR": "0"}, False)])
def test_help_has_colours_unless_the_user_wants_none(sandbox, tmp_path, variables, coloured):
    with Terminal(sandbox, tmp_path, 80, "skill", "--help", HF2MS_PAGER="", **variables) as terminal:
        text_of(terminal)
    cells = [cell for row in terminal.screen.buffer.values() for cell in row.values()]
    assert any(cell.bold or cell.underscore for cell in cells) == coloured


def test_a_table_that_is_much_too_wide_has_a_line_a_cell(sandbox, tmp_path):
    sandbox.seed("hf", "model", "alice/narrow", {"path": "a.txt", "text": "a"}, message="m")
    with Terminal(sandbox, tmp_path, 80, "migrate", "alice/narrow", "--yes") as terminal:
        assert terminal.end()[0] == 0
    run = next((tmp_path / "state/runs").iterdir()).name
    with Terminal(sandbox, tmp_path, 40, "runs") as terminal:
        lines = text_of(terminal).splitlines()
    assert lines[0].split() == ["run", run] and ["state", "done"] in [line.split() for line in lines], lines
    with Terminal(sandbox, tmp_path, 200, "runs") as terminal:
        lines = text_of(terminal).splitlines()
    assert lines[0].startswith("run") and lines[1].startswith(run), lines
