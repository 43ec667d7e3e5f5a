"""What every suite stands on: an environment of its own, and one running sandbox."""

import atexit
import os
import shutil
import tempfile

import pytest

# The clients read their settings when they are imported, so these come first. Rust's own folders stay where they are.
for tool in ("cargo", "rustup"):
    os.environ.setdefault(f"{tool.upper()}_HOME", os.path.expanduser(f"~/.{tool}"))
HOME = tempfile.mkdtemp(prefix="hf2ms-tests-home-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HOME=f"{HOME}/hf",
    HOME=HOME,
    MODELSCOPE_CACHE=f"{HOME}/ms",
    MODELSCOPE_DOWNLOAD_INTRA_CLOUD="false",
    NO_PROXY="127.0.0.1",
)
for name in ("HF_TOKEN", "HF_ENDPOINT", "MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT"):
    os.environ.pop(name, None)

from servers.sandbox import Sandbox  # noqa: E402


@pytest.fixture(scope="session")
def running():
    with tempfile.TemporaryDirectory(prefix="hf2ms-sandbox-") as folder:
        # All tests together ask for the owner of a token more often than the hub allows.
        with Sandbox(folder, hf_whoami_quota=None) as sandbox:
            yield sandbox


@pytest.fixture
def sandbox(running):
    usual = running.ask("GET", "/settings")
    yield running
    running.ask("DELETE", "/faults")
    running.post("/settings", **usual)
    running.post("/counters/reset")
