"""Runs the built sandbox for the tests that drive it with the hubs' own clients."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

# The clients read their settings when they are imported, so these come first.
HOME = tempfile.mkdtemp(prefix="hf2ms-sandbox-home-")
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HF2MS_SANDBOX_BIN", str(ROOT / "target/debug/hf2ms-sandbox"))


class Sandbox:
    """A running sandbox and its admin."""

    def __init__(self, ready):
        self.__dict__.update(ready)
        accounts = {hub: {(a["user"], a["write"]): a["token"] for a in of} for hub, of in ready["accounts"].items()}
        self.hf_alice, self.hf_reader, self.hf_bob = (
            accounts["hf"][key] for key in (("alice", True), ("alice", False), ("bob", True))
        )
        self.ms_alice, self.ms_bob = accounts["ms"][("alice", True)], accounts["ms"][("bob", True)]

    def ask(self, method, path, body=None, **query):
        url = f"{self.admin}{path}?{urllib.parse.urlencode(query)}" if query else self.admin + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def post(self, path, **body):
        return self.ask("POST", path, body)

    def seed(self, hub, kind, id, *files, **more):
        return self.post("/seed", hub=hub, kind=kind, id=id, files=list(files), **more)["commit"]

    def repo(self, hub, kind, id):
        return self.ask("GET", "/repo", hub=hub, kind=kind, id=id)

    def stored(self, hub, kind, id):
        """What is stored now, by path: digest, size, and whether it is in LFS."""
        return {f["path"]: (f["sha256"], f["size"], f["lfs"]) for f in self.repo(hub, kind, id)["files"]}

    def fault(self, route, do, count=1, **kind):
        rule = {key: kind.pop(key) for key in ("skip", "path") if key in kind}
        return self.post("/faults", route=route, kind={"do": do, **kind}, count=count, **rule)

    def counted(self, route):
        return self.ask("GET", "/counters").get(route, {"requests": 0, "statuses": {}})


@pytest.fixture(scope="session")
def running():
    with tempfile.TemporaryDirectory(prefix="hf2ms-sandbox-") as dir:
        command = [BINARY, "serve", "--dir", dir, "--parent-stdin"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sandbox = Sandbox(json.loads(process.stdout.readline()))
        # All tests together ask whose a token is more often than the hub allows.
        sandbox.post("/settings", hf_whoami_quota=None)
        yield sandbox
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture
def sandbox(running):
    usual = running.ask("GET", "/settings")
    yield running
    running.ask("DELETE", "/faults")
    running.post("/settings", **usual)
    running.post("/counters/reset")


def make_files(root, files):
    """Writes files under `root`; a number stands for so many bytes."""
    for path, content in files.items():
        if isinstance(content, int):
            content = (path.encode() + bytes(range(256))) * (content // 256 + 1)
            content = content[: files[path]]
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def read_files(root):
    """Content by path of all files under `root`, without the clients' own."""
    files = (p for p in root.rglob("*") if p.is_file())
    named = {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
    return {path: content for path, content in named.items() if not path.startswith((".cache", "._", ".m"))}
