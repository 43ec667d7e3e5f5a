"""docs/transcripts.md says what the programs print today."""

import sys

import pytest

from programs import ROOT
from servers.sandbox import Sandbox

sys.path.append(str(ROOT / "scripts"))

from everyday.page import PAGE, sections, write  # noqa: E402
from everyday.situations import ALL, CHEAP, transcript  # noqa: E402

TOLD = sections(PAGE.read_text())


@pytest.mark.parametrize("situation", CHEAP, ids=lambda situation: situation.__name__)
def test_the_page_shows_what_is_printed(situation):
    now = "\n".join(transcript(situation, Sandbox)).rstrip()
    assert "\n".join(TOLD[situation.__name__]) == now, f"scripts/transcripts {situation.__name__} writes it anew"


def test_the_page_has_all_situations_and_nothing_else():
    assert list(TOLD) == [situation.__name__ for situation in ALL]
    assert write(TOLD) == PAGE.read_text()
