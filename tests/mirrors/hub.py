"""Hugging Face as a Git host sees it: Git by `git http-backend` like every repo of the host, and the LFS side of the sandbox, which
wants large uploads in parts as Hugging Face does."""

import json
import subprocess
import urllib.error
import urllib.request

# The one repo on the sandbox whose LFS objects these are, and who may write there.
REPO, TOKEN = "alice/objects", "hf_sandboxAliceWrite"
LFS_JSON = "application/vnd.git-lfs+json"


class Hub:
    """A sandbox, for its Hugging Face."""

    def __init__(self, binary, folder, **settings):
        command = [str(binary), "serve", "--dir", str(folder), "--parent-stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.hf, self.ms, self.admin = told["hf"], told["ms"], told["admin"]
        self.ask("POST", "/seed", hub="hf", kind="model", id=REPO, files=[])
        self.ask("POST", "/settings", **settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, method, route, /, **body):
        request = urllib.request.Request(self.admin + route, data=json.dumps(body).encode() if body else None, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def fault(self, route, do, path="", **kind):
        """The next request of a route fails so."""
        self.ask("POST", "/faults", route=route, path=path, kind={"do": do, **kind}, count=1)

    def counted(self, route):
        """How often it was asked, and how often it went well."""
        counter = self.ask("GET", "/counters").get(route, {"requests": 0, "statuses": {}})
        return counter["requests"], counter["statuses"].get("200", 0)

    def lfs(self, url, environ, begin):
        """The sandbox's answer to what was asked of the LFS server at `url`; what it says of itself, it says of that address."""
        own = f"{self.hf}/{REPO}.git"
        path = "/" + environ["PATH_INFO"].split(".git/")[1]
        headers = {"Content-Type": LFS_JSON, "Accept": LFS_JSON, "Authorization": f"Bearer {TOKEN}"}
        asked = urllib.request.Request(own + path, data=environ["wsgi.input"].read(), headers=headers, method="POST")
        try:
            answer = urllib.request.urlopen(asked)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            body = answer.read().replace(own.encode(), url.encode())
            begin(f"{answer.status} {answer.reason}", [("Content-Type", answer.headers["content-type"])])
        return [body]
