"""docs/troubleshooting.md: each message of its tables is one that the programs print."""

import re

from programs import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
SOURCES = [*(path for crate in ("hub", "worker", "controller") for path in (ROOT / crate / "src").rglob("*.rs")), ROOT / "modal/app.py", ROOT / "modal/bridge.py"]
# A text of Rust or Python on its line or lines, and a comment, which is none.
TEXT = re.compile(r'//[^\n]*|b?\'(?:\\.|[^\\\'])\'|"((?:[^"\\]|\\.)*)"', re.DOTALL)


def messages():
    """The page's messages, by the heading below which they stand."""
    text = PAGE.read_text()
    named = text[text.index("## By message") :]
    for heading, part in re.findall(r"^### (.*?)\n(.*?)(?=^###? |\Z)", named, re.MULTILINE | re.DOTALL):
        cells = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| ")][1:]
        assert cells, f"{heading} has no table"
        for cell in cells:
            found = re.findall(r"`([^`]+)`", cell)
            assert found, f"{heading}: {cell}"
            yield from ((heading, message) for message in found)


def texts():
    """All texts of the sources but those of tests, one a line."""
    for path in SOURCES:
        if "test" in str(path.relative_to(ROOT)) or "toy" in path.parts:
            continue
        source = path.read_text().split("#[cfg(test)]\nmod tests {")[0]
        for found in TEXT.finditer(source):
            if found[1]:
                yield re.sub(r"\\\n\s*", "", found[1]).replace('\\"', '"')


def printed(message):
    """A pattern for a message: `..` and numbers stand for what the program puts in."""
    parts = re.split(r"(\.\.|\d+)", message)
    filled = [r"\{[^{}]*\}" if part == ".." else rf"(?:{part}|\{{[^{{}}]*\}})" if part.isdigit() else re.escape(part) for part in parts]
    return re.compile("".join(filled))


def test_each_message_is_printed_as_the_page_has_it():
    lines = "\n".join(texts())
    absent = [f"{heading}: {message}" for heading, message in messages() if not printed(message).search(lines)]
    assert not absent, absent


def test_no_message_stands_twice():
    found = [message for _, message in messages()]
    assert len(found) > 80 and sorted(found) == sorted(set(found))
