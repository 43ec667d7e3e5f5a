"""Installs the wheel once with each installer."""

import os
import re
import sys
import uuid

import pytest

from packages.installed import Installed, tool, wheel
from programs import ROOT


@pytest.fixture(scope="session")
def package():
    return wheel() or pytest.skip("needs the wheel that scripts/package.sh makes")


def commands_of_readme():
    """The README's lines of installation, the first one first: those of its first line and comment, and those in the text below."""
    section = (ROOT / "README.md").read_text().split("## Install\n")[1].split("\n## ")[0]
    first, rest = section.split("\n", 1)
    command, others = first.split("#", 1)
    lines = [command, *others.removeprefix(" or: ").split(", "), *re.findall(r"`(uvx [^`]+)`", rest)]
    return [line.split() for line in lines]


@pytest.fixture(scope="session")
def readme():
    """The README's line of installation that begins with a word, to run as it stands."""
    return lambda word: next(line for line in commands_of_readme() if line[0] == word)


@pytest.fixture(scope="session")
def by_pip(package, tmp_path_factory):
    """Installed by the README's first line, from a folder in place of the package index, without anything else."""
    folder = tmp_path_factory.mktemp("pip")
    tool("python", "-m", "venv", folder)
    installed = Installed(folder)
    ran = installed.run(*commands_of_readme()[0], PIP_NO_INDEX="1", PIP_FIND_LINKS=str(package.parent))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return installed


@pytest.fixture(scope="session")
def by_uv(package, tmp_path_factory):
    """Installed with uv, and with Modal's SDK beside it."""
    folder = tmp_path_factory.mktemp("uv")
    # uv has certificates of its own; those of this machine may be others.
    certificates = {"SSL_CERT_FILE": os.environ["PIP_CERT"]} if "PIP_CERT" in os.environ else {}
    tool("uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
    tool("uv", "pip", "install", "--quiet", "--python", folder / "bin/python", f"hf2ms-cli[modal] @ {package.as_uri()}", **certificates)
    return Installed(folder)


@pytest.fixture
def repo(sandbox):
    """A model on Hugging Face: its id."""
    id = f"alice/packaged-{uuid.uuid4().hex[:8]}"
    files = [{"path": "README.md", "text": "# packaged\n"}, {"path": "weights.bin", "size": 3_000_000, "seed": 4}]
    sandbox.seed("hf", "model", id, *files)
    return id


@pytest.fixture
def copied(sandbox, repo):
    """Says that the repo is at ModelScope as it was at Hugging Face."""

    def check(ran):
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "done and verified" in ran.stdout + ran.stderr
        source, copy = (sandbox.stored(hub, "model", repo) for hub in ("hf", "ms"))
        assert copy["weights.bin"][:2] == source["weights.bin"][:2]

    return check
