"""What a person sees while repos are copied, at terminals of several widths: bars that fit, and nothing of them at the end."""

import re

import pytest

from terminal.terminal import Terminal

# A repo's or the total's line: a share of bytes.
BAR = re.compile(r"\d+%")


def model(sandbox, name, count=2, size=3_000_000, seed=0):
    files = [{"path": f"{number}.safetensors", "size": size, "seed": seed + number} for number in range(count)]
    sandbox.seed("hf", "model", name, *files, {"path": "README.md", "text": f"# {name}\n"}, message="m")


def bars(lines):
    return [line for line in lines if BAR.search(line)]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_bar_fits_and_leaves_nothing(sandbox, tmp_path, columns):
    name = f"alice/a-model-with-a-rather-long-name-{columns}"
    model(sandbox, name, seed=columns)
    slow = sandbox.fault("ms_storage.put", "slow", count=2, bytes_per_second=1_500_000)
    with Terminal(sandbox, tmp_path, columns, "migrate", name, "--yes") as terminal:
        code, last = terminal.end()
    assert code == 0, last
    drawn = [bars(state) for state in terminal.states if bars(state)]
    assert drawn, f"{slow}: no bar was seen: {terminal.states}"
    # A line that wraps is two lines of a screen, and then a second one is drawn below its rest.
    assert all(len(lines) == 1 and lines[0].startswith("copying") and len(lines[0]) <= columns - 4 for lines in drawn), drawn
    assert not bars(last) and not any("copying" in line for line in last), last


def test_a_batch_shows_repos_at_work_and_one_total(sandbox, tmp_path):
    names = [f"alice/batch-{number}" for number in range(6)]
    for number, name in enumerate(names):
        model(sandbox, name, count=1, seed=1000 + number)
    sandbox.fault("ms_storage.put", "slow", count=6, bytes_per_second=2_000_000)
    with Terminal(sandbox, tmp_path, 80, "batch", *names, "--yes", "--containers", "2") as terminal:
        code, last = terminal.end()
    assert code == 0, last
    drawn = [bars(state) for state in terminal.states if bars(state)]
    totals = [lines[-1] for lines in drawn]
    assert drawn and all(line.startswith("total") for line in totals), drawn
    assert all(len(lines) <= 3 for lines in drawn), "two workers, one total"
    ended = {re.search(r"(\d)/6 repos", line)[1] for line in totals}
    assert len(ended) > 1, "repos that have ended are counted"
    assert not any(" 0.0 s left" in line for lines in drawn for line in lines), drawn
    assert not [line for line in bars(last) if "left" in line or line.startswith("total")], last


def test_ctrl_c_leaves_a_clean_screen(sandbox, tmp_path):
    model(sandbox, "alice/stopped", seed=2000)
    sandbox.fault("ms_storage.put", "slow", count=2, bytes_per_second=200_000)
    with Terminal(sandbox, tmp_path, 60, "migrate", "alice/stopped", "--yes") as terminal:
        terminal.until(bars)
        terminal.press_ctrl_c()
        code, last = terminal.end()
    assert code == 130, last
    assert not bars(last), "\n".join(last)
    assert any("stopped" in line for line in last), last


def test_a_terminal_without_a_cursor_gets_lines(sandbox, tmp_path):
    model(sandbox, "alice/dumb", count=1, seed=3000)
    with Terminal(sandbox, tmp_path, 100, "migrate", "alice/dumb", "--yes", rows=60, term="dumb") as terminal:
        code, last = terminal.end()
    text = "\n".join(last)
    assert code == 0 and "done and verified" in text and "to move" in text, text
