"""olah, a mirror server in wide use, between the sandbox's Hugging Face and hf2ms: it has files and listings, and no LFS."""

import json
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from programs import environment

OLAH = pathlib.Path(sys.executable).with_name("olah-cli")


@pytest.fixture
def olah(sandbox, tmp_path):
    """The address of an olah in front of the sandbox's Hugging Face."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hub = sandbox.hf.removeprefix("http://")
    command = [OLAH, "--host", "127.0.0.1", "--port", str(port), "--hf-scheme", "http", "--hf-netloc", hub, "--hf-lfs-netloc", hub]
    command += ["--repos-path", str(tmp_path / "repos"), "--log-path", str(tmp_path / "logs")]
    with open(tmp_path / "olah.out", "wb") as out:
        process = subprocess.Popen(command, env=environment("HOME", "NO_PROXY"), cwd=tmp_path, stdout=out, stderr=out)
    try:
        for _ in range(600):
            with socket.socket() as reached:
                if reached.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (tmp_path / "olah.out").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def run(migrate, olah):
    """Runs a migration whose source is the mirror."""
    return lambda *args: migrate(*args, HF_ENDPOINT=olah, HF_TOKEN=None, HF2MS_RETRY_BASE="0.1")


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_repo_comes_through_a_mirror_without_lfs(sandbox, run, tmp_path, kind):
    id = f"alice/through-{kind}"
    files = [{"path": "w.bin", "size": 9_000_000, "seed": 3, "lfs": True}, {"path": "a b/ü.txt", "text": "small"}, {"path": "empty.txt", "text": ""}]
    sandbox.seed("hf", kind, id, *files)
    done = run(id, "--repo-type", kind)
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "olah.out").read_text()
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["files"] >= 3 and report["failed"] == [], report
    stored = sandbox.stored("ms", kind, id)
    assert {path: stored[path][:2] for path in ("w.bin", "a b/ü.txt", "empty.txt")} == {
        path: of[:2] for path, of in sandbox.stored("hf", kind, id).items() if path != ".gitattributes"
    }
    assert sandbox.counted("hf.lfs_batch")["requests"] == 0


def test_a_repo_of_several_pages_is_listed_though_the_mirror_forgets_the_cursor(sandbox, run, tmp_path):
    sandbox.post("/settings", hf_page=5)
    try:
        sandbox.seed("hf", "model", "alice/pages", generate={"count": 17, "folders": 3, "size": 10, "suffix": ".txt"})
        done = run("alice/pages")
    finally:
        sandbox.post("/settings", hf_page=1000)
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "olah.out").read_text()
    hashes = {path: of[0] for path, of in sandbox.stored("hf", "model", "alice/pages").items()}
    stored = sandbox.stored("ms", "model", "alice/pages")
    assert len(hashes) >= 17 and {path: stored[path][0] for path in hashes if path != ".gitattributes"} == {
        path: sha256 for path, sha256 in hashes.items() if path != ".gitattributes"
    }
