"""The README's recording ends as a copy at a terminal ends today."""

import re
import subprocess
import sys
from xml.etree import ElementTree

from programs import ROOT

PICTURE = ROOT / "docs/recording.svg"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_recording_is_of_today():
    ran = subprocess.run([sys.executable, ROOT / "scripts/record", "--check"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, f"scripts/record draws it anew: {ran.stdout}{ran.stderr}"


def test_the_recording_is_a_picture_without_scripts_or_addresses():
    root = ElementTree.fromstring(PICTURE.read_text())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "title", "style", "rect", "circle", "g", "text"}
    shown = PICTURE.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"http://|url\(|127\.0\.0\.1", shown)


def test_each_screen_is_shown_for_some_time_and_the_last_one_for_longest():
    picture = PICTURE.read_text()
    screens = len(re.findall(r'<g class="screen', picture))
    begins = [float(re.search(rf"@keyframes s{number} {{.*?([\d.]+)% {{ opacity: 1", picture)[1]) for number in range(screens)]
    assert screens >= 4 and begins == sorted(set(begins)) and begins[0] == 0
    assert 100 - begins[-1] > begins[-1] / (screens - 1)
