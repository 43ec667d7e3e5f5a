"""Screens of a terminal as one SVG, which shows them one after the other and the last one for longest."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from recording.session import COLUMNS, Run, Screen

CELL, LINE, MARGIN, BAR = 8.4, 19, 16, 30
# What stands together: programs that show pictures may join several blanks to one.
WORDS = re.compile(r"\S+(?: \S+)*")
# Seconds that each screen is shown, and the last one.
EACH, LAST = 1.2, 6.0
COLOURS = {
    "black": "#484f58",
    "brightblack": "#8b949e",
    "red": "#ff7b72",
    "green": "#3fb950",
    "brown": "#d29922",
    "blue": "#58a6ff",
    "magenta": "#bc8cff",
    "cyan": "#39c5cf",
    "white": "#f0f6fc",
}
STYLE = """text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #c9d1d9 }
.bold { font-weight: 700 } .screen { opacity: 0; animation-duration: %ss; animation-iteration-count: infinite; animation-timing-function: step-end }
@media (prefers-reduced-motion: reduce) { .screen { animation: none } .last { opacity: 1 } }"""


def draw(screens: list[Screen], title: str) -> str:
    """The picture of these screens."""
    height = max(len(trimmed(screen)) for screen in screens)
    width, tall = COLUMNS * CELL + 2 * MARGIN, height * LINE + BAR + MARGIN
    whole = EACH * (len(screens) - 1) + LAST
    times = [EACH * number for number in range(len(screens))] + [whole]
    rules = "\n".join(keyframes(number, times[number] / whole, times[number + 1] / whole) for number in range(len(screens)))
    dots = "".join(f'<circle cx="{18 + 18 * number}" cy="16" r="5" fill="#484f58"/>' for number in range(3))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{tall}" viewBox="0 0 {width:.0f} {tall}" role="img" aria-label="{escape(title)}">'
    ground = f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>{dots}'
    groups = [group(number, screen, number == len(screens) - 1) for number, screen in enumerate(screens)]
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE % round(whole, 1)}\n{rules}</style>", ground, *groups, "</svg>", ""])


def keyframes(number: int, begins: float, ends: float) -> str:
    """When a screen is seen, as shares of the whole time."""
    before = "0% { opacity: 0 } " if begins else ""
    after = " 100% { opacity: 1 }" if ends == 1 else f" {ends:.2%} {{ opacity: 0 }}"
    return f".s{number} {{ animation-name: s{number} }} @keyframes s{number} {{ {before}{begins:.2%} {{ opacity: 1 }}{after} }}"


def group(number: int, screen: Screen, last: bool) -> str:
    lines = [piece(run, found, row) for row, runs in enumerate(trimmed(screen)) for run in runs for found in WORDS.finditer(run.text)]
    return "\n".join([f'<g class="screen s{number}{" last" if last else ""}">', *lines, "</g>"])


def piece(run: Run, words: re.Match, row: int) -> str:
    """Words of a line; their width is that of their cells, whatever the font is."""
    x, y = MARGIN + (run.column + words.start()) * CELL, BAR + row * LINE + 14
    colour = f' style="fill:{COLOURS[run.colour]}"' if run.colour in COLOURS else ""
    bold = ' class="bold"' if run.bold else ""
    return f'<text x="{x:.1f}" y="{y}" textLength="{len(words[0]) * CELL:.1f}"{bold}{colour}>{escape(words[0])}</text>'


def trimmed(screen: Screen) -> Screen:
    """The screen without the empty lines at its end."""
    rows = len(screen)
    while rows and not screen[rows - 1]:
        rows -= 1
    return screen[:rows]
