"""Installs the wheel once with each installer."""

import os
import sys
import uuid

import pytest

from packages.installed import Installed, tool, wheel
from programs import ROOT


@pytest.fixture(scope="session")
def package():
    return wheel() or pytest.skip("needs the wheel that scripts/package.sh makes")


def command_of_readme():
    """The README's first line of installation, without its comment."""
    section = (ROOT / "README.md").read_text().split("## Install\n")[1]
    return section.split("\n")[0].split("#")[0].split()


@pytest.fixture(scope="session")
def by_pip(package, tmp_path_factory):
    """Installed by the README's first line, from a folder in place of the package index, without anything else."""
    folder = tmp_path_factory.mktemp("pip")
    tool("python", "-m", "venv", folder)
    installed = Installed(folder)
    ran = installed.run(*command_of_readme(), "--no-index", "--find-links", str(package.parent))
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
