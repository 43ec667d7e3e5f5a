"""The sandbox as anyone sees it: what its repos hold, read by plain HTTP, and a server that no token may reach."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from campaign.content import sha256

PLURAL = {"model": "models", "dataset": "datasets"}
MAIN = {"hf": "main", "ms": "master"}
MOST_REDIRECTS = 5


class Trap:
    """An origin of its own on loopback. It says yes to everything, keeps nothing, and remembers what it was told."""

    def __init__(self):
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                heard.append(f"{self.requestline}\n{self.headers}\n{body[:4096]!r}")
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_PUT = do_POST = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def fetch(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """A GET. Redirects are followed, without the headers once they lead to another origin."""
    for _ in range(MOST_REDIRECTS):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            connection.request("GET", urllib.parse.urlunsplit(("", "", parts.path, parts.query, "")), headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status not in (301, 302, 303, 307, 308):
            return answer.status, body
        target = urllib.parse.urljoin(url, answer.headers["Location"])
        if urllib.parse.urlsplit(target).netloc != parts.netloc:
            headers = {}
        url = target
    return 310, b"too many redirects"


def file_url(sandbox, hub: str, kind: str, id: str, revision: str, path: str) -> str:
    quoted = urllib.parse.quote(path, safe="/")
    if hub == "hf":
        prefix = "" if kind == "model" else f"{PLURAL[kind]}/"
        return f"{sandbox.hf}/{prefix}{id}/resolve/{urllib.parse.quote(revision, safe='')}/{quoted}"
    query = urllib.parse.urlencode({"Revision": revision, "FilePath": path})
    return f"{sandbox.ms}/api/v1/{PLURAL[kind]}/{id}/repo?{query}"


def token(sandbox, hub: str) -> str:
    return sandbox.hf_alice if hub == "hf" else sandbox.ms_alice


def described(sandbox, hub: str, kind: str, id: str, revision: str | None = None) -> dict | None:
    """What a repo is and lists; None if it, or this revision of it, does not exist."""
    query = {"hub": hub, "kind": kind, "id": id, "hash": "false"} | ({"revision": revision} if revision else {})
    try:
        return sandbox.ask("GET", "/repo", **query)
    except urllib.error.HTTPError as refusal:
        if refusal.code == 404:
            return None
        raise


def contents(sandbox, hub: str, kind: str, id: str, revision: str | None = None) -> dict[str, str | None] | None:
    """The SHA-256 of what each file gives to a reader, by path: None where it gives nothing. None if there is no such repo."""
    repo = described(sandbox, hub, kind, id, revision)
    if repo is None:
        return None
    read = {}
    for file in repo["files"]:
        if file["size"] is None:
            read[file["path"]] = None
            continue
        url = file_url(sandbox, hub, kind, id, revision or MAIN[hub], file["path"])
        status, body = fetch(url, {"Authorization": f"Bearer {token(sandbox, hub)}"})
        read[file["path"]] = sha256(body) if status == 200 else None
    return read


def requests(sandbox) -> list[dict]:
    return sandbox.ask("GET", "/requests")


def count_of(sandbox) -> int:
    """How many requests there were."""
    return sum(counts["requests"] for counts in sandbox.ask("GET", "/counters").values())


def readable(value) -> str:
    return json.dumps(value, ensure_ascii=False)
