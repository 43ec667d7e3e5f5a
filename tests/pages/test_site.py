"""The pages of docs/ are a site: built strictly, the same as on GitHub, and without anything from elsewhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from programs import ROOT

PYTHON = Path(os.environ.get("HF2MS_SITE_PYTHON", ROOT / ".venv/site/bin/python"))
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="there is no mkdocs: setup_site of scripts/setup.sh installs it")


def build(root, out, *more):
    ran = subprocess.run([PYTHON, root / "scripts/site/build.py", "--out", out, *more], capture_output=True, text=True, timeout=300)
    return ran.returncode, ran.stdout + ran.stderr


def copied(to):
    """The pages and what builds them, to be broken."""
    for name in ("docs", "scripts/site", "sandbox/README.md", "tests/README.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "mkdocs.yml"):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (to / "Cargo.toml").write_text('repository = "https://code.example/hf2ms"\n')
    return to


def add(page, text):
    page.write_text(page.read_text() + text)


def test_the_site_is_built_and_what_it_shows_in_another_way_is_named(tmp_path):
    root, site = copied(tmp_path / "root"), tmp_path / "site"
    code, said = build(root, site)
    assert code == 0, said
    front = (site / "index.html").read_text()
    assert 'src="speed.svg"' in front, "pictures of the README are found"
    assert 'href="copying/#when-it-fails-part-way"' in front, "links of the README lead to pages of the site"
    assert 'href="https://code.example/hf2ms/blob/main/deny.toml"' in (site / "security/index.html").read_text(), "and those of other files to the repository"
    assert (site / "events.schema.json").is_file()
    # The pages change, and the site is that of before: so the two differ.
    add(root / "docs/mutants.md", "\n- one\n")
    add(root / "docs/modal.md", "\n## Another heading\n")
    add(site / "copying/index.html", '<img src="https://elsewhere.example/a.svg">')
    code, said = build(root, site, "--judge")
    assert code == 1
    for words in ("docs/mutants.md: li", "docs/modal.md: h2", "docs/copying.md: loads https://elsewhere.example/a.svg"):
        assert words in said, said


def test_broken_links_and_lost_pages_fail_the_build(tmp_path):
    root = copied(tmp_path / "root")
    add(root / "docs/copying.md", "\n[a](absent.md) [b](owners.md#no-such-heading)\n")
    add(root / "README.md", "\n[c](docs/gone.md)\n")
    (root / "docs/alone.md").write_text("# Alone\n")
    code, said = build(root, tmp_path / "site")
    assert code == 1
    assert all(name in said for name in ("absent.md", "no-such-heading", "gone.md", "alone.md")), said
