"""The rules: each is a method of `House` that yields what breaks it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from house.crate import Crate, cycles
from house.messages import WITHOUT_ADVICE, without_remedy
from house.sentences import LONGEST_SENTENCE, comment_lines, long_sentences, topic_lines
from house.source import Rust, closing
from house.vocabulary import OLD_NAMES, RIDDLES

CRATES = ("hub", "worker", "controller", "sandbox")
# The sandbox plays the servers' side. It shares no code with the product, so it may use the same nouns.
PRODUCT = ("hub", "worker", "controller")
LONGEST_FUNCTION = 60
LONGEST_FILE = 500
LONGEST_README = 120
MOST_CONTROLLER_ROOMS = 20
LONGEST_WALK = 25
RETRY = "hub/src/http/retry.rs"

# The controller's rooms, bottom to top. A room imports only from rooms before it.
CONTROLLER_ROOMS = """platform stop ui settings binaries args runs engine estimate copy revisions batch inventory mirror cleanup emit probe mcp
verbs cli""".split()

# Names that may stand more than once: each verb has its own arguments. The structs of a hub's `wire.rs` may, too, and what
# `without_xet.rs` has in place of a module that is left out.
SHARED_NAMES = {"Args"}

# Where the variants of `Hub` may be named: the type, the one `match`, and each hub's own folder, whose name is the variant's.
HUB_TYPE = "hub/src/hub.rs"
HUB_FILES = (HUB_TYPE, "hub/src/open.rs")
HUBS = ("HuggingFace", "ModelScope", "Git")

# Loops that wait and are no retry: a file, or a folder that ends with `/`; the function; why it waits.
PAUSES = (
    ("hub/src/http/rate_limit.rs", "wait", "waits until the rate limit of a host lets the next request through"),
    ("worker/src/events.rs", "tick", "prints progress each second"),
    ("worker/src/transfer/hasher.rs", "follow", "looks at the rate to decide how many files are read at a time"),
    ("worker/src/transfer/bandwidth.rs", "take", "waits until the limit of bytes a second lets a frame through"),
    ("worker/src/transfer/mover/mod.rs", "follow", "looks at the rate to decide how many blobs move at a time"),
    ("controller/src/ui/progress/shown.rs", "tick", "shows and keeps the progress each second"),
    ("controller/src/engine/modal/", "poll_until_ended", "polls a call of Modal until it has ended"),
    ("controller/src/engine/remote/", "follow_logs", "follows the logs of Modal's containers until their run has ended"),
    ("controller/src/engine/docker/", "clear", "polls the daemon until containers are gone"),
    ("controller/src/mcp/", "recorded", "asks for a run until it has a record"),
    ("controller/src/mirror/", "wait_for_pull", "polls GitLab until a pull has ended"),
    ("controller/src/mirror/watch.rs", "repeat", "runs a mirror at an interval"),
    ("controller/src/verbs/logs.rs", "of_files", "follows log files until their run has ended"),
    ("controller/src/verbs/status.rs", "watch", "shows a run until it has ended"),
    ("controller/src/verbs/stop.rs", "end", "polls a process until it has ended"),
)

# Where code may differ by operating system: a file, or a folder that ends with `/`.
PLATFORMS = ("hub/src/platform/", "worker/src/signals/", "controller/src/platform/", "sandbox/src/platform.rs")

# Pages that tests write of the code: what they say is mended there.
GENERATED = ("docs/reference.md", "docs/json.md")

PUBLIC_TYPE = re.compile(r"\bpub(?:\([^)]*\))?\s+(?:struct|enum|trait|type|union)\s+(\w+)")
# A condition on the operating system, and what exists on some only. Conditions on features are none.
OF_A_SYSTEM = re.compile(
    r"\bcfg(?:_attr)?!?\s*\([^\]]*?\b(?:unix|windows|target_os|target_family|target_vendor)\b"
    r"|\bstd::os::\w+|\b(?:rustix|libc|nix|windows_sys|winapi\w*)::"
    r"|\btokio::signal\b|\btokio::net::(?:unix|windows|Unix\w+)|\.(?:process_group|creation_flags)\s*\("
)
SLEEP = re.compile(r"\bsleep(?:_until)?\s*\(")
# A function of such a name that sleeps is a pause in every file of its crate; any other, in its own file.
WAITS = re.compile(r"pause|wait|sleep|delay|back_?off")
# A row of the walk of one blob: a number, a file, a function.
WALK_STEP = re.compile(r"\| \d+ \| (\S+\.rs) \| `(\w+)` \|")
DOC_PATH = re.compile(r"(?<![\w./-])((?:hub|worker|controller|sandbox|scripts|docs|tests|modal|docker)/[\w./{},*<>-]*[\w}*/])")
RULES = ("imports", "names", "hubs", "platforms", "pauses", "lengths", "words", "remedies", "sentences", "links", "walk", "format")


@dataclass(frozen=True, order=True)
class Breach:
    """One place that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.text}"


class House:
    """The working tree, read once, and the rules."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rust = [Rust(path, self.read(path)) for path in self.paths("*.rs", *CRATES)]
        self.mark_tests()

    def paths(self, pattern: str, *folders: str) -> list[str]:
        skipped = {"target", ".venv", "__pycache__", "node_modules"}
        found = [path.relative_to(self.root) for folder in folders for path in (self.root / folder).rglob(pattern)]
        return sorted(str(path) for path in found if not skipped & set(path.parts))

    def read(self, path: str) -> str:
        return (self.root / path).read_text(errors="replace")

    def mark_tests(self) -> None:
        """A file is a test's by its place, its name, or the `#[cfg(test)]` before its `mod`."""
        by_path = {file.path: file for file in self.rust}
        for file in self.rust:
            parts = Path(file.path).parts
            file.is_test = parts[1] != "src" or "tests" in parts or parts[-1] in ("tests.rs", "testing.rs") or "testing" in parts
        for file in self.rust:
            _ = file.live
            path = Path(file.path)
            folder = path.parent if path.stem in ("mod", "lib", "main") else path.with_suffix("")
            for name in file.tests_declared:
                for inner in (f"{folder}/{name}.rs", f"{folder}/{name}/"):
                    for child in (by_path[p] for p in by_path if p == inner or (inner.endswith("/") and p.startswith(inner))):
                        child.is_test = True
                        child.__dict__.pop("live", None)

    def sources(self, *crates: str) -> list[Rust]:
        return [file for file in self.rust if file.path.startswith(tuple(f"{crate}/src/" for crate in crates))]

    def crate(self, name: str) -> Crate:
        return Crate(name, self.sources(name))

    def imports(self) -> Iterator[Breach]:
        """Modules import one way, and the controller's rooms downwards."""
        for name in CRATES:
            crate = self.crate(name)
            for trip in cycles(crate.edges):
                first, second = trip[0], trip[1]
                round_trip = " -> ".join(crate.shown(module) for module in [*trip, first])
                text = f"import cycle {round_trip}; move what both need into a module below them"
                yield Breach(crate.files[first].path, crate.edges[first][second], "imports", text)
            if name == "controller":
                yield from self.rooms(crate)

    @staticmethod
    def rooms(crate: Crate) -> Iterator[Breach]:
        rooms = sorted({module[0] for module in crate.files if module and module != ("main",)})
        if len(rooms) > MOST_CONTROLLER_ROOMS:
            text = f"{len(rooms)} rooms, at most {MOST_CONTROLLER_ROOMS}; move a module into the room it belongs to ({', '.join(rooms)})"
            yield Breach("controller/src/lib.rs", 1, "imports", text)
        height = {room: at for at, room in enumerate(CONTROLLER_ROOMS)}
        for module, targets in sorted(crate.edges.items()):
            for target, line in targets.items():
                if not module or not target or height.get(module[0], 99) >= height.get(target[0], -1):
                    continue
                text = f"`{module[0]}` imports {crate.shown(target)} from a room above it; move that down, or this up"
                yield Breach(crate.files[module].path, line, "imports", text)

    def names(self) -> Iterator[Breach]:
        """A public type's name stands once in the product."""
        places = defaultdict(list)
        for file in self.sources(*PRODUCT):
            if not file.path.endswith(("/wire.rs", "/without_xet.rs")):
                for found in PUBLIC_TYPE.finditer(file.live):
                    places[found.group(1)].append((file.path, file.line(found.start())))
        for name, found in sorted(places.items()):
            if len({path for path, _ in found}) > 1 and name not in SHARED_NAMES:
                others = ", ".join(f"{path}:{line}" for path, line in found[1:])
                yield Breach(*found[0], "names", f"`{name}` is also defined at {others}; give each its own name")

    def hubs(self) -> Iterator[Breach]:
        """What one hub is like is known in its own folder only."""
        variants = "|".join(self.hub_variants())
        variant = re.compile(rf"\bHub\s*::\s*({variants}|\*|\{{)")
        for file in self.sources(*PRODUCT):
            if file.path in HUB_FILES:
                continue
            for found in variant.finditer(file.live):
                if file.path.startswith(f"hub/src/{found.group(1).lower()}/"):
                    continue
                text = f"`{found.group()}` outside the hub's folder; ask the hub's `Profile`, or a trait"
                yield Breach(file.path, file.line(found.start()), "hubs", text)

    def hub_variants(self) -> list[str]:
        """The variants of `Hub`, so that a new hub needs no change here."""
        if not (self.root / HUB_TYPE).is_file():
            return list(HUBS)
        code = Rust(HUB_TYPE, self.read(HUB_TYPE)).code
        found = re.search(r"\benum Hub\s*(\{)", code)
        body = code[found.start(1) : closing(code, found.start(1))] if found else ""
        return re.findall(r"^\s*([A-Z]\w*)", body, re.M) or list(HUBS)

    def platforms(self) -> Iterator[Breach]:
        """What differs between operating systems stands in one place a crate."""
        for file in self.sources(*CRATES):
            if any(self.matches(file.path, place) for place in PLATFORMS):
                continue
            for found in OF_A_SYSTEM.finditer(file.live):
                text = f"`{found.group()}` is of one operating system; move it to {' or '.join(PLATFORMS)}"
                yield Breach(file.path, file.line(found.start()), "platforms", text)

    def pauses(self) -> Iterator[Breach]:
        """Only the retry module loops over pauses."""
        used = set()
        for crate in PRODUCT:
            files = self.sources(crate)
            pausing = {file.path: self.pausing(file) for file in files}
            everywhere = {name for names in pausing.values() for name in names if WAITS.search(name)} | {"sleep", "sleep_until"}
            for file in files:
                call = re.compile(rf"\b(?:{'|'.join(sorted(everywhere | pausing[file.path]))})\s*\(")
                found = {at.start() for start, end in file.loops() for at in call.finditer(file.live, start, end)}
                for position in sorted(found) if file.path != RETRY else ():
                    inside = [name for name, start, end in file.functions() if start <= position < end]
                    allowed = {place for place in PAUSES if self.matches(file.path, place[0]) and place[1] in inside}
                    used |= allowed
                    if not allowed:
                        text = f"a pause inside a loop, in `{inside[-1] if inside else '?'}`; use Attempts of {RETRY}"
                        yield Breach(file.path, file.line(position), "pauses", text)
        for path, name, _ in PAUSES:
            if not any(place[:2] == (path, name) for place in used) and (self.root / path).exists():
                yield Breach("scripts/house/rules.py", 1, "pauses", f"`{name}` of {path} has no pause in a loop; take it out of PAUSES")

    @staticmethod
    def pausing(file: Rust) -> set[str]:
        """Functions that sleep once: a call of one is itself a pause."""
        loops = list(file.loops())
        sleeps = [at.start() for at in SLEEP.finditer(file.live)]
        once = [at for at in sleeps if not any(start <= at < end for start, end in loops)]
        inside = {at: [name for name, start, end in file.functions() if start <= at < end] for at in once}
        return {names[-1] for names in inside.values() if names} - {"sleep"}

    @staticmethod
    def matches(path: str, place: str) -> bool:
        return path.startswith(place) if place.endswith("/") else path == place

    def lengths(self) -> Iterator[Breach]:
        """Functions, files and the README are short."""
        for file in self.rust:
            for name, start, end in file.functions():
                yield from self.function_length(file.path, file.line(start), name, file.line(end - 1) - file.line(start) + 1)
        python = self.paths("*.py", "tests", "modal", "scripts", "packaging", "mirror", "sandbox")
        for path in python:
            for node in ast.walk(ast.parse(self.read(path))):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield from self.function_length(path, node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for path in [*(file.path for file in self.rust), *python]:
            yield from self.file_length(path, LONGEST_FILE, "split its subjects")
        yield from self.file_length("README.md", LONGEST_README, "move guides to docs/")

    @staticmethod
    def function_length(path: str, line: int, name: str, length: int) -> Iterator[Breach]:
        if length > LONGEST_FUNCTION:
            yield Breach(path, line, "lengths", f"`{name}` has {length} lines, at most {LONGEST_FUNCTION}; split its steps")

    def file_length(self, path: str, most: int, advice: str) -> Iterator[Breach]:
        length = len(self.read(path).splitlines()) if (self.root / path).is_file() else 0
        if length > most:
            yield Breach(path, 1, "lengths", f"{length} lines, at most {most}; {advice}")

    def words(self) -> Iterator[Breach]:
        """The old private words are gone from code, comments, help and docs."""
        old = re.compile(rf"\b({'|'.join(OLD_NAMES)})\b")
        quoted = re.compile(r"`[^`\n]+`")
        for file in self.rust:
            for found in old.finditer(file.code):
                yield self.old_name(file.path, file.line(found.start()), found.group())
            for start, comment in file.comments:
                for quote in quoted.finditer(comment):
                    for found in old.finditer(quote.group()):
                        yield self.old_name(file.path, file.line(start + quote.start()), found.group())
                yield from self.riddles(file.path, file.line(start), comment)
        for path in self.docs():
            for number, line in enumerate(self.read(path).splitlines(), 1):
                for quote in quoted.finditer(line):
                    for found in old.finditer(quote.group()):
                        yield self.old_name(path, number, found.group())
                yield from self.riddles(path, number, line)

    @staticmethod
    def old_name(path: str, line: int, name: str) -> Breach:
        return Breach(path, line, "words", f"`{name}` is an old private name; say {OLD_NAMES[name]}")

    @staticmethod
    def riddles(path: str, line: int, text: str) -> Iterator[Breach]:
        for riddle, advice in RIDDLES.items():
            for found in re.finditer(rf"\b{riddle}\b", text, re.I):
                yield Breach(path, line + text[: found.start()].count("\n"), "words", f"`{found.group()}` is a riddle; {advice}")

    def remedies(self) -> Iterator[Breach]:
        """Each error of the command line says what to do."""
        excused = {(path, name) for path, name, _ in WITHOUT_ADVICE}
        used = set()
        for path, line, name, words in without_remedy(self.sources("controller")):
            used.add((path, name))
            if (path, name) not in excused:
                yield Breach(path, line, "remedies", f"\"{words[:60]}\" of `{name}` does not say what to do; say it after a colon")
        for path, name in sorted(excused - used):
            if (self.root / path).exists():
                yield Breach("scripts/house/messages.py", 1, "remedies", f"`{name}` of {path} says what to do; take it out of WITHOUT_ADVICE")

    def sentences(self) -> Iterator[Breach]:
        """Sentences of comments, help and docs are short."""
        texts = [(file.path, comment_lines(file.text)) for file in self.rust]
        texts += [(path, self.read(path).splitlines()) for path in self.docs() if path not in GENERATED]
        texts += [(path, topic_lines(self.read(path))) for path in self.paths("*.txt", "controller")]
        for path, lines in texts:
            for line, count, begins in long_sentences(lines):
                text = f"a sentence of {count} words, at most {LONGEST_SENTENCE}: \"{begins} ..\"; make two of it"
                yield Breach(path, line, "sentences", text)

    def docs(self) -> list[str]:
        tops = [str(path.relative_to(self.root)) for path in self.root.glob("*.md")]
        return [path for path in [*tops, *self.paths("*.md", "docs", "sandbox", "tests", "packaging")] if path != "CHANGELOG.md"]

    def links(self) -> Iterator[Breach]:
        """Files and folders that the docs name exist."""
        for path in self.docs():
            for number, line in enumerate(self.read(path).splitlines(), 1):
                for found in DOC_PATH.finditer(re.sub(r"\]\([^)]*\)", "]", line)):
                    if not all(self.exists(named) for named in braces(found.group(1))):
                        yield Breach(path, number, "links", f"{found.group(1)} does not exist; name the file of today")
                for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                    if not (self.root / path).parent.joinpath(target).exists():
                        yield Breach(path, number, "links", f"the link to {target} leads nowhere; mend it")

    def walk(self) -> Iterator[Breach]:
        """The walk of one blob is short, and its functions are where it says."""
        page = "docs/architecture.md"
        if not (self.root / page).is_file():
            return
        steps = []
        for number, line in enumerate(self.read(page).splitlines(), 1):
            step = WALK_STEP.match(line)
            if step and (self.root / step.group(1)).is_file():
                steps.append(number)
                if not re.search(rf"\bfn {step.group(2)}\b", self.read(step.group(1))):
                    yield Breach(page, number, "walk", f"{step.group(1)} has no function `{step.group(2)}`; name the one of today")
        if len(steps) > LONGEST_WALK:
            yield Breach(page, steps[0], "walk", f"{len(steps)} files, at most {LONGEST_WALK}; shorten the way of a blob")

    def exists(self, named: str) -> bool:
        if "<" in named or named.startswith("docker/") and "." not in named:
            return True
        return any(self.root.glob(named.rstrip("/"))) if "*" in named else (self.root / named).exists()

    def format(self) -> Iterator[Breach]:
        """rustfmt's defaults."""
        if not (self.root / "Cargo.toml").is_file():
            return
        ran = subprocess.run(["cargo", "fmt", "--all", "--", "--check", "-l"], cwd=self.root, capture_output=True, text=True)
        for path in sorted(set(ran.stdout.split())):
            yield Breach(str(Path(path).relative_to(self.root.resolve())), 1, "format", "not formatted; run `cargo fmt --all`")
        if ran.returncode and not ran.stdout:
            yield Breach("Cargo.toml", 1, "format", f"cargo fmt failed: {ran.stderr.strip()}")


def braces(text: str) -> list[str]:
    """`a/{b,c}.rs` as `a/b.rs` and `a/c.rs`."""
    found = re.match(r"(.*?)\{([^{}]*)\}(.*)", text)
    if not found:
        return [text]
    return [one for part in found.group(2).split(",") for one in braces(found.group(1) + part + found.group(3))]
