"""docs/quickstart.md is run as it is written, and shows what is printed. `HF2MS_WRITE_QUICKSTART=1` writes its outputs anew."""

import os
import re
import subprocess
import sys

from programs import HF2MS, PATIENCE, ROOT
from servers.sandbox import Sandbox

sys.path.append(str(ROOT / "scripts"))

from everyday.shell import Shell  # noqa: E402
from everyday.situations import seed  # noqa: E402

PAGE = ROOT / "docs/quickstart.md"
BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)


class Reader(Shell):
    """Someone who types what the page says."""

    def type(self, line):
        """Types a line into a shell; returns what it prints, as the page has it."""
        if variable := re.fullmatch(r"export (\w+)=\w+_\.\.\.", line):
            self.environment[variable[1]] = self.sandbox.hf_alice
            return ""
        variables = self.environment | {"PATH": f"{HF2MS.parent}:{os.environ['PATH']}"}
        ran = subprocess.run(["bash", "-c", line], env=variables, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 0, f"{line} ended with {ran.returncode}: {ran.stdout}{ran.stderr}"
        return self.stable(ran.stderr + ran.stdout)

    def block(self, text):
        """A block of the page with what its commands print now."""
        lines = []
        for line in (line for line in text.splitlines() if line.startswith("$ ")):
            printed = self.type(line[2:])
            lines += [line, *printed.splitlines()]
        return "\n".join(lines) + "\n"


def test_the_page_is_run_as_it_is_written(tmp_path):
    with Sandbox(tmp_path / "blobs") as sandbox:
        home = tmp_path / "home"
        home.mkdir()
        reader = Reader(sandbox, home)
        seed(reader, "alice/model")
        (home / "token.txt").write_text(sandbox.ms_alice)
        page = PAGE.read_text()
        now = BLOCK.sub(lambda found: f"```console\n{reader.block(found[1])}```\n", page)
        private = [folder for folder in (home / "state", home / "state/runs", home / ".config/hf2ms") if folder.stat().st_mode & 0o077]
    assert not private, "docs/security.md says that nobody else may enter"
    if os.environ.get("HF2MS_WRITE_QUICKSTART"):
        PAGE.write_text(now)
    assert page == now, "HF2MS_WRITE_QUICKSTART=1 writes it anew"
    assert sandbox.ms_alice not in page and sandbox.hf_alice not in page
