"""The rule of sentences: in comments, help and docs each is short."""

from __future__ import annotations

import re
from typing import Iterator

LONGEST_SENTENCE = 24
# A paragraph with more links is a table of contents.
MOST_LINKS = 9
# An item of a list, a comment's marker, a heading, a table's row, HTML, or an indented example.
ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
MARKER = re.compile(r"\s*(?://[/!]?) ?(.*)$")
NO_PROSE = re.compile(r"    |#|<")
# What is read as one word or as none: code, addresses of links, asides.
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?")
ASIDE = re.compile(r"\([^()]*\)")
# A colon or a semicolon ends a thought as a stop does.
STOP = re.compile(r"(?<=[.?!:;])[\"*)]*\s+")


def paragraphs(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each paragraph, item or cell of a table, and the number of its first line."""
    fenced, gathered, first = False, [], 0
    for number, line in enumerate([*lines, ""], 1):
        fenced ^= line.startswith("```")
        is_row = line.lstrip().startswith("|")
        ends = fenced or is_row or not line.strip() or line.startswith("```") or NO_PROSE.match(line)
        if gathered and (ends or ITEM.match(line)):
            yield first, " ".join(gathered)
            gathered = []
        if is_row and not fenced:
            yield from ((number, cell.strip()) for cell in line.strip().strip("|").split(" | "))
        elif not ends:
            first = first if gathered else number
            gathered.append(line.strip())


def topic_lines(text: str) -> list[str]:
    """A help topic's lines without its examples and definitions, which are set in."""
    return ["" if line.startswith("  ") else line for line in text.splitlines()]


def words(sentence: str) -> int:
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


def long_sentences(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Each sentence that is too long: the line where its paragraph begins, its words, and how it begins."""
    for number, paragraph in paragraphs(lines):
        if len(LINK.findall(paragraph)) > MOST_LINKS:
            continue
        plain = ASIDE.sub("", LINK.sub(r"\1", CODE.sub("", paragraph)))
        for sentence in STOP.split(plain):
            if words(sentence) > LONGEST_SENTENCE:
                yield number, words(sentence), " ".join(sentence.split()[:6])


def comment_lines(text: str) -> list[str]:
    """A Rust file's lines with the text of comments that stand alone, and without code."""
    found = (MARKER.match(line) for line in text.splitlines())
    return [one.group(1) if one else "" for one in found]
