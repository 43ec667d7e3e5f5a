"""hf2ms as users install it: the wheel in an environment of its own, and nothing of Rust in the PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from programs import PATIENCE, ROOT

PACKAGES = Path(os.environ.get("HF2MS_PACKAGES", ROOT / "target/package"))
# A user's PATH without this project's tools. The Python in it has no SDK of Modal's.
PATH = "/usr/bin:/bin"
TOOLS = Path(sys.executable).parent


def wheel():
    """The wheel for this machine, or None where scripts/package.sh has not made it."""
    return next(iter(PACKAGES.glob("hf2ms_cli-*manylinux*_x86_64*.whl")), None)


def tool(*command, **environment):
    """Runs a tool of the test environment, which reaches the package index as this process does."""
    ran = subprocess.run([TOOLS / command[0], *map(str, command[1:])], capture_output=True, text=True, env=os.environ | environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


class Installed:
    """An environment into which the wheel was installed."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)

    def environment(self, **more):
        return {"PATH": PATH, "HOME": str(self.home), "NO_PROXY": "127.0.0.1"} | more

    def run(self, program, *args, **environment):
        """Runs a program of the environment as its user would."""
        environment = self.environment(**environment)
        assert shutil.which("cargo", path=environment["PATH"]) is None
        command = [str(self.bin / program), *args]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.home, timeout=PATIENCE)

    def migrate(self, sandbox, id, *args, **more):
        """Copies a repo of the sandbox's Hugging Face to its ModelScope."""
        hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_TOKEN": sandbox.ms_alice}
        return self.run("hf2ms", "migrate", id, *args, **hubs | more)
