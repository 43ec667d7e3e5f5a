"""`hf2ms` between the sandbox's hubs."""

import json
import subprocess

import pytest

from programs import HF2MS, environment


@pytest.fixture
def program(sandbox, tmp_path):
    """Runs `hf2ms`, and returns its result; variables may be changed, or taken away by None."""

    def run(*args, **more):
        hubs = {"HF_ENDPOINT": sandbox.hf, "HF_TOKEN": sandbox.hf_alice, "MODELSCOPE_ENDPOINT": sandbox.ms, "MODELSCOPE_TOKEN": sandbox.ms_alice}
        variables = environment("HOME", **hubs, HF2MS_STATE=str(tmp_path / "state")) | more
        env = {name: value for name, value in variables.items() if value is not None}
        return subprocess.run([HF2MS, *args], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def migrate(program):
    """Runs `hf2ms migrate`, and returns its result."""
    return lambda *args, **more: program("migrate", *args, "--json", **more)


@pytest.fixture
def hf2ms(migrate):
    """Runs a migration that succeeds, and returns its report."""

    def run(*args, **more):
        done = migrate(*args, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
