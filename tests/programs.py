"""Where the built programs are, and how the suites wait for what they do."""

import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEBUG = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
HF2MS = Path(os.environ.get("HF2MS_BIN", DEBUG / "hf2ms"))
WORKER = HF2MS.with_name("hf2ms-worker")
SANDBOX = Path(os.environ.get("HF2MS_SANDBOX_BIN", HF2MS.with_name("hf2ms-sandbox")))
# The worker that containers run.
STATIC = Path(os.environ.get("HF2MS_STATIC_WORKER", ROOT / "target/static/hf2ms-worker"))
# Seconds: long enough for a loaded machine. No test waits for them to pass.
PATIENCE = 120


def until(probe):
    """Waits until `probe` returns something true, and returns that."""
    end = time.monotonic() + PATIENCE
    while not (found := probe()):
        assert time.monotonic() < end, "the expected state was not reached"
        time.sleep(0.02)
    return found


def environment(*names, **more):
    """The named variables of this process, so far as they are set, and `more` of them."""
    return {name: os.environ[name] for name in ("PATH", *names) if name in os.environ} | more
