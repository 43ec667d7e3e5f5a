"""Hugging Face as a Git host sees it: Git by `git http-backend` like every repo of the host, and the LFS side of the sandbox, which
wants large uploads in parts as Hugging Face does."""

import urllib.error
import urllib.request

from servers.sandbox import Sandbox

# The one repo on the sandbox whose LFS objects these are.
REPO = "alice/objects"
LFS_JSON = "application/vnd.git-lfs+json"


class Hub(Sandbox):
    """A sandbox, for its Hugging Face."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        self.seed("hf", "model", REPO)

    def succeeded(self, route):
        """How many requests of a route there were, and how many of them succeeded."""
        counter = self.counted(route)
        return counter["requests"], counter["statuses"].get("200", 0)

    def lfs(self, url, environ, begin):
        """The sandbox's answer to what was asked of the LFS server at `url`; what it says of itself, it says of that address."""
        own = f"{self.hf}/{REPO}.git"
        path = "/" + environ["PATH_INFO"].split(".git/")[1]
        headers = {"Content-Type": LFS_JSON, "Accept": LFS_JSON, "Authorization": f"Bearer {self.hf_alice}"}
        asked = urllib.request.Request(own + path, data=environ["wsgi.input"].read(), headers=headers, method="POST")
        try:
            answer = urllib.request.urlopen(asked)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            body = answer.read().replace(own.encode(), url.encode())
            begin(f"{answer.status} {answer.reason}", [("Content-Type", answer.headers["content-type"])])
        return [body]
