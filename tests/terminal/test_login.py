"""`hf2ms login` at a terminal: what is typed is not shown, and the terminal is as before at the end."""

import termios

from programs import PATIENCE
from terminal.terminal import Terminal


def asked(lines):
    return any("token of" in line for line in lines)


def shows_what_is_typed(terminal):
    return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)


def test_a_token_that_is_typed_is_kept_and_not_shown(sandbox, tmp_path):
    with Terminal(sandbox, tmp_path, 200, "login", "ms", HOME=str(tmp_path)) as terminal:
        terminal.until(asked)
        assert not shows_what_is_typed(terminal)
        terminal.type(f"{sandbox.ms_alice}\n")
        code, last = terminal.end()
    assert code == 0, last
    assert any("logged in as alice on ModelScope" in line for line in last), last
    assert not any(sandbox.ms_alice in line for state in terminal.states for line in state)
    kept = tmp_path / ".config/hf2ms/credentials.toml"
    assert sandbox.ms_alice in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600


def test_ctrl_c_ends_the_question_and_shows_what_is_typed_again(sandbox, tmp_path):
    with Terminal(sandbox, tmp_path, 200, "login", HOME=str(tmp_path)) as terminal:
        terminal.until(asked)
        terminal.type("hf_half")
        terminal.press_ctrl_c()
        while not terminal.read():
            pass
        assert shows_what_is_typed(terminal)
        assert terminal.process.wait(PATIENCE) == 130
    assert not (tmp_path / ".config").exists()
