"""The modules of a crate, which of them imports which, and the cycles among them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from house.source import Rust, blanked

ITEM_NAME = re.compile(r"\b(?:fn|struct|enum|trait|type|const|static|union|macro_rules!)\s+(\w+)")
USE = re.compile(r"\buse\s+([^;]+);")
PATH = re.compile(r"(?<![\w:.$])(\w+)((?:\s*::\s*\w+)+)")

Module = tuple[str, ...]


@dataclass
class Names:
    """What the names in one module stand for."""

    items: set[str] = field(default_factory=set)
    imports: dict[str, list[str]] = field(default_factory=dict)
    globs: list[list[str]] = field(default_factory=list)


def use_tree(text: str, before: tuple[str, ...] = ()) -> Iterator[tuple[list[str], str]]:
    """Each path that a `use` names, and the name it gets; `*` for all of a module."""
    for part in split_commas(text):
        head, brace, rest = part.partition("{")
        segments = [segment.strip() for segment in head.split("::") if segment.strip()]
        if brace:
            yield from use_tree(rest.rstrip()[:-1], (*before, *segments))
            continue
        if not segments:
            continue
        last, _, alias = segments[-1].partition(" as ")
        path = [*before, *segments[:-1], last.strip()]
        if path[-1] == "self" and len(path) > 1:
            path.pop()
        yield path, alias.strip() or path[-1]


def split_commas(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


class Crate:
    """The modules of a crate's library, and who imports from whom."""

    def __init__(self, name: str, files: list[Rust]) -> None:
        self.name = name
        self.files: dict[Module, Rust] = {}
        for file in files:
            parts = list(Path(file.path).relative_to(f"{name}/src").with_suffix("").parts)
            if parts[-1] in ("mod", "lib"):
                parts.pop()
            if not file.is_test:
                self.files[tuple(parts)] = file
        self.names = {module: self.names_of(file) for module, file in self.files.items()}
        self.edges: dict[Module, dict[Module, int]] = {module: self.imports_of(module) for module in self.files}

    @staticmethod
    def names_of(file: Rust) -> Names:
        names = Names(items=set(ITEM_NAME.findall(file.live)))
        for found in USE.finditer(file.live):
            for path, name in use_tree(found.group(1)):
                if name == "*":
                    names.globs.append(path[:-1])
                else:
                    names.imports[name] = path
        return names

    def imports_of(self, module: Module) -> dict[Module, int]:
        """The modules that a module names, and the first line that does."""
        file, found = self.files[module], {}

        def note(path: list[str], position: int) -> None:
            target = self.resolve(module, path)
            if target is not None and not related(module, target):
                found.setdefault(target, file.line(position))

        for use in USE.finditer(file.live):
            for path, _ in use_tree(use.group(1)):
                if not self.is_module(module, path):
                    note(path[:-1] if path[-1] == "*" else path, use.start())
        for path in PATH.finditer(USE.sub(lambda use: blanked(use.group()), file.live)):
            note([path.group(1), *re.findall(r"\w+", path.group(2))], path.start())
        return found

    def is_module(self, module: Module, path: list[str]) -> bool:
        """Whether an import names a module itself: then the paths that begin with it say what is taken from there."""
        return self.absolute(module, path) in self.files

    @staticmethod
    def absolute(module: Module, path: list[str]) -> Module | None:
        if path[0] == "crate":
            return tuple(path[1:])
        if path[0] not in ("self", "super"):
            return (*module, *path)
        base, rest = module, list(path)
        while rest and rest[0] in ("self", "super"):
            base = base[:-1] if rest.pop(0) == "super" else base
        return (*base, *rest)

    def resolve(self, module: Module, path: list[str], depth: int = 0) -> Module | None:
        """The module that defines what `path` names in `module`; None when it is outside the crate."""
        if depth > 20 or not path:
            return None
        first = path[0]
        if first in ("crate", "self", "super") or first == f"hf2ms_{self.name}":
            rest = list(path)
            at: Module = () if first not in ("self", "super") else module
            if first not in ("self", "super"):
                rest.pop(0)
            while rest and rest[0] in ("self", "super"):
                at = at[:-1] if rest.pop(0) == "super" else at
            return self.walk(at, rest, depth)
        if (*module, first) in self.files or first in self.names[module].imports:
            return self.walk(module, path, depth)
        return None

    def walk(self, at: Module, rest: list[str], depth: int) -> Module | None:
        for index, name in enumerate(rest):
            if (*at, name) in self.files:
                at = (*at, name)
                continue
            names = self.names.get(at)
            if names is None:
                return None
            if name not in names.items and name in names.imports and names.imports[name] != [name]:
                return self.resolve(at, [*names.imports[name], *rest[index + 1 :]], depth + 1)
            if name not in names.items:
                for glob in names.globs:
                    source = self.resolve(at, glob, depth + 1)
                    if source is not None and (name in self.names[source].items or name in self.names[source].imports):
                        return self.walk(source, rest[index:], depth + 1)
            return at
        return at if at in self.files else None

    def shown(self, module: Module) -> str:
        return "::".join(module) or "lib"


def related(one: Module, other: Module) -> bool:
    """Whether one is the other, or stands inside it: they are one room."""
    short = min(len(one), len(other))
    return one[:short] == other[:short]


def cycles(edges: dict) -> Iterator[list]:
    """The groups of nodes that reach each other, each as one shortest round trip."""

    def reach(start) -> dict:
        before, queue = {}, [start]
        for node in queue:
            for following in edges.get(node, ()):
                if following not in before:
                    before[following] = node
                    queue.append(following)
        return before

    reached = {node: reach(node) for node in edges}
    done: set = set()
    for node in sorted(edges):
        if node in done or node not in reached[node]:
            continue
        done |= {other for other in reached[node] if node in reached.get(other, {})}
        trip, at = [node], reached[node][node]
        while at != node:
            trip.append(at)
            at = reached[node][at]
        yield [trip[0], *reversed(trip[1:])]
