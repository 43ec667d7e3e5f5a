"""Builds the site of docs/ strictly, and judges what came out. The Python is that of setup_site in scripts/setup.sh.

    scripts/site.sh [--out FOLDER] [--judge]     target/site without a folder

A broken link or anchor fails the build, and so does a page that the navigation lacks. Then each page is read as GitHub reads it. It has to have the same
headings, anchors, lists, tables and code on the site, and no page may load anything from another site. The exit code is 1 where
anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from hooks import PAGES, ROOT
from markdown_it import MarkdownIt

# What is counted: tokens of the reader that judges, and the elements that they become.
TOKENS = {"table_open": "table", "bullet_list_open": "ul", "ordered_list_open": "ol", "list_item_open": "li", "fence": "pre", "code_block": "pre"}
COUNTED = {*TOKENS.values(), "h1", "h2", "h3", "h4"}
# Elements that load something when a page is shown.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "object": "data", "source": "src"}
DUPLICATE = re.compile(r"[_-]\d+$")


class Built(HTMLParser):
    """A page of the site: how many elements its article has, its headings' anchors, and what it loads from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.anchors: list[str] = []
        self.foreign: list[str] = []
        self.in_article = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        address = values.get(LOADS.get(tag, ""), "") or ""
        if re.match(r"(https?:)?//", address) and values.get("rel") != "canonical":
            self.foreign.append(address)
        self.in_article |= tag == "article"
        if self.in_article and tag in COUNTED:
            self.counts[tag] += 1
            if tag.startswith("h"):
                self.anchors.append(values.get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        self.in_article &= tag != "article"


def anchor(heading: str) -> str:
    """What GitHub calls a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def on_github(text: str) -> tuple[Counter[str], list[str]]:
    """The elements and anchors of a page, as GitHub has them."""
    counts: Counter[str] = Counter()
    anchors = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for token, following in zip(tokens, [*tokens[1:], None]):
        if token.type == "heading_open":
            counts[token.tag] += 1
            anchors.append(anchor("".join(child.content for child in following.children)))
        elif token.type in TOKENS:
            counts[TOKENS[token.type]] += 1
    return counts, anchors


def differences(source: str, built: Built) -> list[str]:
    """What is another thing on the site than on GitHub."""
    counts, anchors = on_github((ROOT / source).read_text())
    found = [
        f"{source}: {tag} {counts[tag]} times on GitHub, {built.counts[tag]} on the site; put an empty line before lists and code"
        for tag in sorted(COUNTED)
        if counts[tag] != built.counts[tag]
    ]
    # The second of two headings of one name has a number, which is written in another way: no link may lead there.
    pairs = zip(anchors, (DUPLICATE.sub("", name) if name not in anchors else name for name in built.anchors))
    found += [f"{source}: #{ours} on GitHub is #{theirs} on the site; change the heading" for ours, theirs in pairs if ours != theirs]
    return found + [f"{source}: loads {address} from another site; put it into docs/" for address in built.foreign]


def judged(out: Path) -> list[str]:
    sources = [*PAGES, *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
    found = []
    for source in sources:
        name = PAGES.get(source, Path(source).name).removesuffix(".md")
        page = out / "index.html" if name == "index" else out / name / "index.html"
        found += differences(source, Built(page.read_text()))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "target/site", metavar="FOLDER", help="where the site goes")
    parser.add_argument("--judge", action="store_true", help="build nothing, and judge the site that is there")
    args = parser.parse_args()
    out = args.out.resolve()
    if not args.judge and not build(out):
        return 1
    found = judged(out)
    print("\n".join(found) or f"the site is in {out}")
    return int(bool(found))


def build(out: Path) -> bool:
    """Builds the site, and prints its warnings where there are any."""
    # With --quiet warnings are not counted, and nothing is strict.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    # The theme's advertisement of another program is no warning of these pages.
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode:
        print(*(line for line in built.stdout.splitlines() if not line.startswith("INFO")), sep="\n")
    return built.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
