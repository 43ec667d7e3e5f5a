"""`ms migrate` and `hf hf2ms`: this program as a command of the official clients."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:
    import tomli as tomllib

from programs import HF2MS, ROOT, environment

PACKAGE = ROOT / "packaging/python"
EXTENSION = ROOT / "packaging/hf-extension"
# The clients' commands stand beside the Python that runs the tests.
MS = Path(sys.executable).with_name("ms")
HF = Path(sys.executable).with_name("hf")
OF_A_FOLDER = Path(__file__).with_name("hf_of_a_folder.py")


@pytest.fixture
def model(sandbox):
    """A repo at the source; its name differs for each copy of it."""

    def seed(name, **more):
        files = ({"path": "README.md", "text": f"# {name}\n"}, {"path": "a.safetensors", "size": 300_000, "seed": 7})
        sandbox.seed("hf", "model", name, *files, message="m", **more)
        return name

    return seed


@pytest.fixture
def run(sandbox, tmp_path):
    """Runs a client's command, with hf2ms on the PATH, hubs that are the sandbox's and no token that is not given."""

    def run(*command, **more):
        hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
        variables = environment(HOME=str(tmp_path), HF2MS_STATE=str(tmp_path / "state"), **hubs) | more
        variables["PATH"] = f"{HF2MS.parent}:{variables['PATH']}"
        return subprocess.run([str(word) for word in command], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def ms(run, tmp_path):
    """`ms`, beside which the package of hf2ms is installed."""
    installed = tmp_path / "installed"
    shutil.copytree(PACKAGE / "hf2ms", installed / "hf2ms")
    (installed / "bin").mkdir()
    (installed / "bin/hf2ms").symlink_to(HF2MS)
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = installed / "hf2ms_cli-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    groups = ((group, "".join(f"{name} = {of}\n" for name, of in names.items())) for group, names in project["entry-points"].items())
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{lines}" for group, lines in groups))
    return lambda *args, **more: run(MS, *args, PYTHONPATH=str(installed), **more)


def at(sandbox, name):
    return {path: size for path, (_, size, _) in sandbox.stored("ms", "model", name).items()}


def test_ms_migrate_copies_with_the_login_of_ms(sandbox, ms, model):
    name = model("alice/by-ms")
    refused = ms("migrate", name, "--json")
    assert refused.returncode == 3 and "MODELSCOPE_TOKEN is not set" in refused.stdout, "the exit code is that of hf2ms"
    assert ms("login", "--token", sandbox.ms_alice).returncode == 0
    done = ms("migrate", name, "--exclude", "*.md", "--private")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a.safetensors" in at(sandbox, name) and sandbox.ms_alice not in done.stdout + done.stderr


def test_ms_hands_on_its_own_token_and_endpoint(sandbox, ms, model):
    name = model("alice/by-ms-options")
    done = ms("--token", sandbox.ms_alice, "--endpoint", sandbox.ms, "migrate", "--json", name, MODELSCOPE_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert at(sandbox, name)["a.safetensors"] == 300_000


def test_a_login_of_ms_goes_to_no_other_site(sandbox, ms, model):
    assert ms("login", "--token", sandbox.ms_alice).returncode == 0
    elsewhere = sandbox.ms.replace("127.0.0.1", "localhost")
    done = ms("migrate", model("alice/by-ms-elsewhere"), MODELSCOPE_ENDPOINT=elsewhere)
    assert done.returncode == 3 and "MODELSCOPE_TOKEN is not set" in done.stderr, done.stdout + done.stderr


def test_ms_migrate_help_is_that_of_hf2ms(ms, run):
    assert ms("migrate", "--help").stdout == run(HF2MS, "migrate", "--help").stdout


def test_hf_installs_the_extension_and_runs_it(sandbox, run, model, tmp_path):
    name = model("alice/by-hf", private=True)
    installed = run(sys.executable, OF_A_FOLDER, EXTENSION, "extensions", "install", "someone/hf-hf2ms")
    assert installed.returncode == 0 and "Binary extension installed" in installed.stdout, installed.stdout + installed.stderr
    manifest = json.loads((tmp_path / ".local/share/hf/extensions/hf-hf2ms/manifest.json").read_text())
    assert manifest["description"].startswith("Copy models and datasets")
    done = run(HF, "hf2ms", "migrate", name, "--json", MODELSCOPE_TOKEN=sandbox.ms_alice, HF_TOKEN=sandbox.hf_alice)
    assert done.returncode == 0, done.stdout + done.stderr
    assert at(sandbox, name)["a.safetensors"] == 300_000
    assert run(HF, "hf2ms", "migrate", "alice/absent", HF_TOKEN=sandbox.hf_alice, MODELSCOPE_TOKEN=sandbox.ms_alice).returncode == 3


@pytest.mark.parametrize("runner, words", [("uvx", "--from hf2ms-cli hf2ms"), ("pipx", "run --spec hf2ms-cli hf2ms")])
def test_the_extension_runs_the_package_by_its_name(tmp_path, runner, words):
    """On PyPI `hf2ms` is another project."""
    (tmp_path / runner).write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / runner).chmod(0o755)
    said = subprocess.run(["/bin/sh", EXTENSION / "hf-hf2ms", "doctor"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert said.stdout == f"{words} doctor\n"


def test_the_extension_says_what_to_install(tmp_path):
    said = subprocess.run(["/bin/sh", EXTENSION / "hf-hf2ms", "doctor"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert said.returncode == 2 and "pip install hf2ms-cli" in said.stderr
