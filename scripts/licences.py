"""Writes the licences of all that is linked into the programs of a package: crates, the C code in them, Rust's and C's standard library.

    python3 scripts/licences.py --target TRIPLE [--glibc] FILE

The texts come from the crates' own folders, which cargo has once the programs are built. Each text stands once. --glibc is for
programs that were built with glibc in place of musl.
"""

import argparse
import html
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("hf2ms", "hf2ms-worker", "hf2ms-sandbox")
# The files that hold a licence or a copyright, by their names.
TEXT = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)
CODE = {".rs", ".c", ".h", ".py", ".sh", ".pl"}
# Folders of a crate that nothing is linked from. `winhttp` is for Windows, where the system has that library itself.
UNUSED = {"benches", "contrib", "examples", "fuzz", "resources", "test", "tests", "winhttp"}
MUSL = ROOT / "packaging/licences/musl.txt"
GLIBC = Path("/usr/share/doc/libc6-dev/copyright")
RULE = "-" * 80


def ask(*command):
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return ran.stdout if ran.returncode == 0 else sys.exit(ran.stderr)


def linked(metadata):
    """The crates of other people that are linked into the programs, by name and version."""
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    found, left = set(), [id for id in metadata["workspace_members"] if packages[id]["name"] in PROGRAMS]
    while left:
        id = left.pop()
        # What runs in the compiler alone is no part of a program.
        if id in found or any("proc-macro" in target["kind"] for target in packages[id]["targets"]):
            continue
        found.add(id)
        left += [need["pkg"] for need in needs[id] if any(kind["kind"] is None for kind in need["dep_kinds"])]
    crates = (packages[id] for id in found if packages[id]["source"])
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def texts(crate):
    """The licences of a crate and of the code that it brings along: the place of each, and its text."""
    folder = Path(crate["manifest_path"]).parent
    files = {file for file in folder.rglob("*") if TEXT.match(file.name) and file.suffix not in CODE and file.is_file()}
    files = {file for file in files if not UNUSED & set(file.relative_to(folder).parts[:-1])}
    if crate["license_file"]:
        files.add(folder / crate["license_file"])
    found = [(file.relative_to(folder).as_posix(), file.read_text(errors="replace")) for file in sorted(files)]
    if not found and crate["license"] == "Apache-2.0":
        found = [("Apache-2.0", (ROOT / "LICENSE").read_text())]
    return found or sys.exit(f"{folder} has no text of its licence, {crate['license']}: add it to scripts/licences.py")


class Texts:
    """Each text once, whatever its white space, with a number that stands for it."""

    def __init__(self):
        self.numbers, self.all = {}, []

    def number(self, text):
        """The number of a text, which is kept if it is new."""
        key = " ".join(text.split())
        if key not in self.numbers:
            self.all.append(text.strip("\n").rstrip())
            self.numbers[key] = len(self.all)
        return self.numbers[key]

    def lines(self):
        for number, text in enumerate(self.all, 1):
            yield from (RULE, f"[{number}]", RULE, text, "")


def of_rust(texts):
    """What Rust says of its standard library, with a number in the place of each text."""
    page = Path(ask("rustc", "--print", "sysroot").strip()) / "share/doc/rust/COPYRIGHT-library.html"
    if not page.is_file():
        sys.exit(f"{page} is not there: install Rust by rustup")
    body = page.read_text().split("<body>", 1)[-1]
    parts = re.split(r"<pre>(.*?)</pre>", body, flags=re.DOTALL)
    plain = (html.unescape(re.sub(r"<[^>]*>", "", part)) if place % 2 == 0 else f"[{texts.number(html.unescape(part))}]" for place, part in enumerate(parts))
    return [line.strip() for line in "\n".join(plain).splitlines() if line.strip()]


def written(target, glibc):
    metadata = json.loads(ask("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    numbered, crates = Texts(), []
    for crate in linked(metadata):
        crates.append(f"{crate['name']} {crate['version']}: {crate['license'] or 'see the text'}")
        crates += [f"    [{numbered.number(text)}] {place}" for place, text in texts(crate)]
    libraries = []
    if glibc:
        libraries = [f"The GNU C Library: LGPL-2.1-or-later\n    [{numbered.number(GLIBC.read_text())}]"]
    elif "musl" in target:
        libraries = [f"musl: MIT\n    [{numbered.number(MUSL.read_text())}]"]
    rust = of_rust(numbered)
    head = "hf2ms is under the Apache License 2.0 (LICENSE). Its programs hold the code that is listed here.\nA number in brackets names a text below."
    return "\n".join([head, "", RULE, "Crates", RULE, *crates, *libraries, "", RULE, *rust, "", *numbered.lines()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True)
    parser.add_argument("--glibc", action="store_true")
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    args.file.write_text(written(args.target, args.glibc))


if __name__ == "__main__":
    main()
