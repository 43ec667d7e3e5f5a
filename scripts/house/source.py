"""A Rust file read as text: its comments, its code, its code without tests, its functions and loops."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Iterator

RUST_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|\b(?:b|c)?r(?P<hash>#*)".*?"(?P=hash)'
    r'|\b(?:b|c)?"(?:\\.|[^"\\])*"|"(?:\\.|[^"\\])*"'
    r"|b?'(?:\\(?:u\{[0-9A-Fa-f_]+\}|x[0-9A-Fa-f]{2}|.)|[^'\\\n])'",
    re.S,
)


def blanked(text: str) -> str:
    """The text as long as before, with every character but line ends made a space."""
    return re.sub(r"[^\n]", " ", text)


def closing(code: str, start: int) -> int:
    """The end of the block that opens at `start`."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if found.group() == "{" else -1
        if depth == 0:
            return found.end()
    return len(code)


def arguments(code: str, start: int) -> int:
    """The end of the call whose parenthesis opens at `start`."""
    depth = 0
    for found in re.compile(r"[()]").finditer(code, start):
        depth += 1 if found.group() == "(" else -1
        if depth == 0:
            return found.end()
    return len(code)


def body_start(code: str, start: int) -> int | None:
    """Where the block of the item or the loop at `start` opens; None when a `;` ends it before."""
    depth = 0
    for found in re.compile(r"[()\[\]{};]").finditer(code, start):
        sign = found.group()
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif depth == 0:
            return found.start() if sign == "{" else None
    return None


@dataclass
class Rust:
    """A Rust file, as text, as code and as code without tests."""

    path: str
    text: str
    is_test: bool = False
    tests_declared: list[str] = field(default_factory=list)

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Each comment and the position where it begins."""
        return [(found.start(), found.group()) for found in RUST_TOKEN.finditer(self.text) if found.group().startswith(("//", "/*"))]

    @cached_property
    def code(self) -> str:
        return RUST_TOKEN.sub(lambda found: blanked(found.group()), self.text)

    @cached_property
    def live(self) -> str:
        """The code without what is compiled for tests only."""
        if self.is_test:
            return blanked(self.code)
        code = self.code
        for found in re.finditer(r"#\[cfg\((?:test|any\(test\b[^\]]*)\)?\]\s*(?:#\[[^\]]*\]\s*)*", code):
            opens = body_start(code, found.end())
            end = closing(code, opens) if opens is not None else code.find(";", found.end()) + 1
            module = re.match(r"(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", code[found.end() : end])
            if module:
                self.tests_declared.append(module.group(1))
            code = code[: found.start()] + blanked(code[found.start() : end]) + code[end:]
        return code

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def line(self, position: int) -> int:
        return bisect.bisect_right(self.line_starts, position)

    def functions(self) -> Iterator[tuple[str, int, int]]:
        """Name, start and end of each function that has a body."""
        for found in re.finditer(r"\bfn\s+(\w+)", self.code):
            opens = body_start(self.code, found.end())
            if opens is not None:
                yield found.group(1), found.start(), closing(self.code, opens)

    def loops(self) -> Iterator[tuple[int, int]]:
        """Start and end of each loop outside tests."""
        for found in re.finditer(r"\b(loop|while|for)\b", self.live):
            opens = body_start(self.live, found.end())
            if opens is None:
                continue
            if found.group() == "for" and not re.search(r"\bin\b", self.live[found.end() : opens]):
                continue
            yield opens, closing(self.live, opens)
