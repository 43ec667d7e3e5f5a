"""The manual pages are in the form that `man` reads: mandoc finds nothing in them, not even what it only warns of."""

import shutil
import subprocess

import pytest

from programs import HF2MS


def lint(*pages):
    return subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
def test_the_manual_pages_have_no_findings(tmp_path):
    subprocess.run([HF2MS, "man", "--dir", tmp_path], check=True)
    pages = sorted(tmp_path.iterdir())
    assert len(pages) > 20
    assert lint(*pages) == ""


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
def test_a_mistake_is_found(tmp_path):
    page = tmp_path / "x.1"
    page.write_text('.TH X 1 "" "" ""\n.SH NAME\nx\n.PP\n.SH EXAMPLES\n')
    assert "WARNING" in lint(page)
