"""The README's chart has the figures of docs/benchmarks.md."""

import subprocess
import sys

from programs import ROOT


def test_the_chart_is_that_of_the_tables():
    ran = subprocess.run([sys.executable, str(ROOT / "scripts/chart.py"), "--check"])
    assert ran.returncode == 0, "run scripts/chart.py"
