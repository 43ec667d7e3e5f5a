"""A session at a terminal: the command that is typed, and the states of the screen until it ends."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from everyday.shell import Shell
from everyday.situations import seed
from terminal.terminal import Terminal

COLUMNS, ROWS = 104, 20
COMMAND = "hf2ms migrate alice/model --to ms"
# Bytes a second of each download, so that there is something to see.
SLOWLY = 1_000_000
BAR = re.compile(r"(\d+)%")
# The shares at which a state with a bar is kept.
SHARES = (10, 35, 60, 85)


@dataclass(frozen=True)
class Run:
    """Characters of one style, and the column where they begin."""

    column: int
    text: str
    colour: str
    bold: bool


# The runs of each line of a screen.
Screen = list[list[Run]]


class Recorder(Terminal):
    """A terminal that keeps each state of its screen with its styles."""

    def __init__(self, *args, **more):
        self.screens: list[Screen] = []
        super().__init__(*args, **more)

    def read(self, pause=0.05):
        ended = super().read(pause)
        self.screens.append([self.line(row) for row in range(ROWS)])
        return ended

    def line(self, row: int) -> list[Run]:
        """The runs of a row; blanks at its end are left out."""
        cells = [self.screen.buffer[row][column] for column in range(COLUMNS)]
        width = len("".join(cell.data or " " for cell in cells).rstrip())
        runs: list[Run] = []
        for column, cell in enumerate(cells[:width]):
            if runs and (runs[-1].colour, runs[-1].bold) == (cell.fg, cell.bold):
                last = runs[-1]
                runs[-1] = Run(last.column, last.text + cell.data, last.colour, last.bold)
            else:
                runs.append(Run(column, cell.data, cell.fg, cell.bold))
        return runs


def text(screen: Screen) -> list[str]:
    """The lines of a screen without their styles."""
    return ["".join(run.text for run in runs).rstrip() for runs in screen]


def record(sandbox, folder: Path) -> list[Screen]:
    """What a person sees: the typed command, some states of the bar, and the end."""
    shell = Shell(sandbox, folder)
    seed(shell, "alice/model")
    sandbox.fault("hf_storage.get", "slow", count=100, bytes_per_second=SLOWLY)
    _, *words = COMMAND.split()
    with Recorder(sandbox, folder, COLUMNS, *words, rows=ROWS) as terminal:
        code, last = terminal.end()
    assert code == 0, "\n".join(last)
    shown = [changed(screen, shell.named) for screen in bars(terminal.screens)]
    return [typed([]), *(typed(screen) for screen in [*shown, changed(terminal.screens[-1], shell.stable)])]


def bars(screens: list[Screen]) -> list[Screen]:
    """The first state at each of SHARES."""
    found = [(share(screen), screen) for screen in screens if share(screen) is not None]
    kept: list[Screen] = []
    for least in SHARES:
        reached = next((screen for percent, screen in found if percent >= least), None)
        if reached and reached not in kept:
            kept.append(reached)
    return kept


def share(screen: Screen) -> int | None:
    """The percentage that a bar of the screen shows."""
    return next((int(found[1]) for line in text(screen) if (found := BAR.search(line))), None)


def changed(screen: Screen, change: Callable[[str], str]) -> Screen:
    """The screen with other texts, each beginning where the one before it ends."""
    return [moved([(change(run.text), run) for run in runs]) for runs in screen]


def moved(runs: list[tuple[str, Run]]) -> list[Run]:
    """Runs with other texts, each beginning where the one before it ends."""
    found: list[Run] = []
    column = 0
    for new, run in runs:
        # Blanks at the end of a run are lost in a stable text, and stand before the next run.
        new += " " * (len(run.text) - len(run.text.rstrip()))
        found.append(Run(column, new, run.colour, run.bold))
        column += len(new)
    return found


def typed(screen: Screen) -> Screen:
    """The screen below the prompt and the command."""
    prompt = [Run(0, "$ ", "green", True), Run(2, COMMAND, "default", True)]
    return [prompt, *screen][:ROWS]
