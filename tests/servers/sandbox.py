"""A running sandbox: its two hubs, the tokens of its accounts, and its admin interface."""

import json
import subprocess
import urllib.parse
import urllib.request

from programs import SANDBOX


class Sandbox:
    """A sandbox whose repos are in `folder`. It ends with the `with` block, or with this process."""

    def __init__(self, folder, **settings):
        command = [str(SANDBOX), "serve", "--dir", str(folder), "--parent-stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.__dict__.update(ready)
        accounts = {hub: {(a["user"], a["write"]): a["token"] for a in of} for hub, of in ready["accounts"].items()}
        self.hf_alice, self.hf_reader, self.hf_bob = (accounts["hf"][key] for key in (("alice", True), ("alice", False), ("bob", True)))
        self.hf_fine_grained = "hf_sandboxAliceFine"
        self.ms_alice, self.ms_bob = accounts["ms"][("alice", True)], accounts["ms"][("bob", True)]
        if settings:
            self.post("/settings", **settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait(10) == 0

    def ask(self, method, path, body=None, /, **query):
        url = f"{self.admin}{path}?{urllib.parse.urlencode(query)}" if query else self.admin + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def post(self, path, /, **body):
        return self.ask("POST", path, body)

    def seed(self, hub, kind, id, *files, **more):
        """Writes a repo, and returns its commit."""
        return self.post("/seed", hub=hub, kind=kind, id=id, files=list(files), **more)["commit"]

    def repo(self, hub, kind, id):
        return self.ask("GET", "/repo", hub=hub, kind=kind, id=id)

    def stored(self, hub, kind, id):
        """What is stored now, by path: digest, size, and whether it is in LFS."""
        return {f["path"]: (f["sha256"], f["size"], f["lfs"]) for f in self.repo(hub, kind, id)["files"]}

    def fault(self, route, do, count=1, **kind):
        """The next `count` requests of a route fail so."""
        rule = {key: kind.pop(key) for key in ("skip", "path") if key in kind}
        return self.post("/faults", route=route, kind={"do": do, **kind}, count=count, **rule)

    def counted(self, route):
        """How many requests of a route there were, and how many of each status."""
        return self.ask("GET", "/counters").get(route, {"requests": 0, "statuses": {}})
