"""docs/transcripts.md: its sections read, and written."""

from __future__ import annotations

from pathlib import Path

from everyday.situations import ALL, title

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/transcripts.md"
HEAD = """# Transcripts

Ten everyday situations, with what `hf2ms` prints. `scripts/transcripts` writes this page by the built programs, and a test compares it.
The hubs are those of the [sandbox](../sandbox/README.md); their addresses are written as the real hubs'. Ids, times and rates are
written in one form, and lines of repos that are copied at the same time are sorted. At a terminal there are bars as well; this is what a pipe gets.
"""


def sections(text: str) -> dict[str, list[str]]:
    """The transcript of each situation that a page has."""
    found = {}
    for situation in ALL:
        heading = f"\n## {title(situation).heading}\n"
        if heading in text:
            block = text.split(heading)[1].split("```console\n")[1].split("\n```")[0]
            found[situation.__name__] = block.splitlines()
    return found


def write(told: dict[str, list[str]]) -> str:
    """The page of these transcripts."""
    parts = [HEAD]
    for situation in ALL:
        if lines := told.get(situation.__name__):
            about = title(situation)
            block = "\n".join(lines).rstrip()
            parts.append(f"\n## {about.heading}\n{about.text}\n\n```console\n{block}\n```\n")
    return "".join(parts)
