"""Draws docs/speed.svg from the tables of docs/benchmarks.md: seconds of hf2ms beside those of the usual way.

    scripts/chart.py          writes the chart
    scripts/chart.py --check  exits 1 when the chart is not that of the tables
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
CHART = DOCS / "speed.svg"
# Heading in benchmarks.md, the rows to compare as the beginnings of their lines, and what the chart calls the case and the other way.
CASES = (
    ("### 5,000 text files of 2 KB in 50 folders", ("| Python path |", "| hf2ms |"), "5,000 files of 2 KB", "Python path"),
    ("### 4 files of 1 GiB, one worker", ("| Python path |", "| hf2ms |"), "4 files of 1 GiB", "Python path"),
    ("### From ModelScope to Hugging Face, in parts", ("| Python path |", "| hf2ms |"), "the same, to Hugging Face", "Python path"),
    ("### 2 GiB in 40 LFS objects over 200 commits", ("| giftless | git and git-lfs |", "| giftless | hf2ms |"), "a mirror, 2 GiB of LFS", "git, git-lfs"),
)
WIDTH, LEFT, BAR, GAP, TOP = 760, 190, 16, 18, 44
STYLE = """text { font: 13px system-ui, sans-serif; fill: #1f2328 } .other { fill: #8b949e } .ours { fill: #d4a017 }
.small { font-size: 11px } .bold { font-weight: 600 } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }"""


@dataclass
class Case:
    """One measured case: seconds of the other way and of hf2ms."""

    title: str
    rival: str
    other: float
    ours: float
    # As the page says it: the median of the runs' ratios, not the ratio of the medians.
    times: float


def seconds(section: str, row: str) -> float:
    """The first number with decimals in the row of a table."""
    line = next(line for line in section.splitlines() if line.startswith(row))
    return float(re.search(r"\| (\d+\.\d+) \|", line).group(1))


def cases(text: str) -> list[Case]:
    found = []
    for heading, (other, ours), title, rival in CASES:
        section = text[text.index(heading) + len(heading) :].split("\n#")[0]
        times = float(re.search(r"hf2ms is (\d+\.\d+) ", section).group(1))
        found.append(Case(title, rival, seconds(section, other), seconds(section, ours), times))
    return found


def chart(found: list[Case]) -> str:
    longest = max(case.other for case in found)
    room = WIDTH - LEFT - 150
    parts, y = [], TOP
    for case in found:
        parts.append(f'<text x="{LEFT - 10}" y="{y + BAR + 4}" text-anchor="end" class="bold">{case.title}</text>')
        for kind, name, value in (("other", case.rival, case.other), ("ours", "hf2ms", case.ours)):
            width = max(value / longest * room, 2)
            note = f"{value:.2f} s {name}" + (f", {case.times:.2g} times faster" if kind == "ours" else "")
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" rx="2"/>')
            parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}" class="small">{note}</text>')
            y += BAR
        y += GAP
    title = f'<text x="{LEFT}" y="24" class="bold">Seconds, less is better: measured on two cores between hubs on loopback</text>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", title, *parts, "</svg>", ""])


def main() -> int:
    drawn = chart(cases((DOCS / "benchmarks.md").read_text()))
    if "--check" in sys.argv:
        return 0 if CHART.is_file() and CHART.read_text() == drawn else 1
    CHART.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
