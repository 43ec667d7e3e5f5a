"""What mkdocs has to know of this repository: pages that are not in docs/, and links that leave the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent.parent
# Files outside docs/, and the pages that they are.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "sandbox/README.md": "sandbox.md",
    "tests/README.md": "suites.md",
}
# A link of Markdown, or an attribute of HTML; groups are what stands before the address, the address, and what stands after it.
LINK = re.compile(r"(\[(?:[^\[\]]|\[[^\[\]]*\])*\]\()([^)\s]+)(\))")
ATTRIBUTE = re.compile(r"(\b(?:src|href)=\")([^\"]+)(\")")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/")


def on_files(files, config):
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def repository() -> str | None:
    """The repository's address, which Cargo.toml has. As mkdocs' own `repo_url` it would be asked for its stars by each reader's browser."""
    manifest = ROOT / "Cargo.toml"
    found = re.search(r'^repository = "(.+)"', manifest.read_text(), re.MULTILINE) if manifest.is_file() else None
    return found and found[1]


def on_page_markdown(markdown, page, config, files):
    origin = {place: source for source, place in PAGES.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return rewritten(markdown, origin, page.file.src_uri, repository())


def rewritten(markdown: str, origin: str, place: str, home: str | None) -> str:
    """The page with its links as the site has them: `origin` is its file in the repository, `place` its place in the site."""

    def link(found: re.Match) -> str:
        address = site_address(found[2], origin, place, home)
        if address is None:
            return found[1][1:-2] if found[1].startswith("[") else found[0]
        return found[1] + address + found[3]

    parts = FENCE.split(markdown)
    return "".join(part if number % 2 else ATTRIBUTE.sub(link, LINK.sub(link, part)) for number, part in enumerate(parts))


def site_address(address: str, origin: str, place: str, home: str | None) -> str | None:
    """The address of a link on the site; None where it has none."""
    if ELSEWHERE.match(address):
        return address
    path, mark, anchor = address.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    if target in PAGES or target.startswith("docs/"):
        page = PAGES.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(page, posixpath.dirname(place) or ".") + mark + anchor
    return f"{home.rstrip('/')}/blob/main/{target}{mark}{anchor}" if home else None
