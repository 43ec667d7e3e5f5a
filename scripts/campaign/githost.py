"""A Git host with LFS on loopback, of the standard library and Git's own `git http-backend`: the target of mirrors.

It keeps whatever is uploaded under the name that was said, right or wrong, so that a wrong object is found and not refused.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from campaign.content import sha256

BACKEND = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
USER, PASSWORD = "mirror", "glpat-campaign-canary-6f1d2c9a"
LFS_JSON = "application/vnd.git-lfs+json"
# How a request can fail here.
FAULTS = ["status 500", "status 503", "status 429", "reset", "lose_answer", "stall", "delay"]
STALL = 4


def git(path: Path, *args: str, **more) -> str:
    return subprocess.run(["git", "-C", str(path), *args], check=True, capture_output=True, text=True, **more).stdout


class GitHost:
    """Bare repositories in a folder, their LFS objects in another."""

    def __init__(self, folder: Path):
        self.repos, self.objects = folder / "git", folder / "lfs"
        self.requests = 0
        self.heard: list[str] = []
        # By the number of a request: how it fails, or what someone does just before it.
        self.faults: dict[int, str] = {}
        self.before: dict[int, object] = {}
        self.thrown: list[str] = []
        host = self

        class Served(Handler):
            pass

        Served.host = host
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def new(self, name: str) -> Path:
        path = self.repos / f"{name}.git"
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--bare", "--initial-branch=main")
        git(path, "config", "http.receivepack", "true")
        return path

    def fresh(self):
        """Forgets faults and what was heard."""
        self.faults, self.before, self.requests = {}, {}, 0
        self.thrown.clear(), self.heard.clear()

    def object_path(self, name: str, oid: str) -> Path:
        return self.objects / name / oid


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    host: GitHost

    def log_message(self, *_):
        pass

    def handle_any(self):
        host = self.host
        host.requests += 1
        number = host.requests
        host.heard.append(f"{self.requestline}\n{self.headers}")
        if act := host.before.pop(number, None):
            act()
        body = self.body()
        fault = host.faults.pop(number, None)
        if fault:
            host.thrown.append(fault)
        if fault and self.failed(fault):
            return
        self.lose = fault == "lose_answer"
        try:
            self.answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = handle_any

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def failed(self, fault: str) -> bool:
        """Fails a request before it is looked at, if this fault does so."""
        if fault.startswith("status"):
            self.say(int(fault.split()[1]), b"refused by the campaign", "text/plain")
        elif fault == "reset":
            self.drop()
        elif fault in ("stall", "delay"):
            time.sleep(STALL if fault == "stall" else 0.5)
            return False
        else:
            return False
        return True

    def drop(self):
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def say(self, status: int, body: bytes, kind: str, headers: dict | None = None):
        if getattr(self, "lose", False):
            self.lose = False
            return self.drop()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_known(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        return given == base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def answer(self, body: bytes):
        path, _, query = self.path.partition("?")
        name = path.split(".git/")[0].strip("/")
        if not self.is_known():
            return self.say(401, b"HTTP Basic: Access denied", "text/plain", {"WWW-Authenticate": 'Basic realm="host"'})
        if not (self.host.repos / f"{name}.git").is_dir():
            return self.say(404, b"not found", "text/plain")
        if path.endswith("/objects/batch"):
            return self.batch(name, json.loads(body))
        if "/lfs-objects/" in path:
            return self.object(name, path.rsplit("/", 1)[1], body)
        return self.backend(path, query, body)

    def batch(self, name: str, asked: dict):
        told = []
        for wanted in asked["objects"]:
            there = self.host.object_path(name, wanted["oid"]).is_file()
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            action = "upload" if asked["operation"] == "upload" else "download"
            address = {"href": f"{self.host.url}/{name}.git/lfs-objects/{wanted['oid']}", "header": {"Authorization": self.headers["Authorization"]}}
            if there != (action == "upload"):
                entry["actions"] = {action: address}
            elif action == "download":
                entry["error"] = {"code": 404, "message": "the object is not there"}
            told.append(entry)
        self.say(200, json.dumps({"transfer": "basic", "objects": told}).encode(), LFS_JSON)

    def object(self, name: str, oid: str, body: bytes):
        path = self.host.object_path(name, oid)
        if self.command != "PUT":
            return self.say(200, path.read_bytes(), "application/octet-stream") if path.is_file() else self.say(404, b"", "text/plain")
        if len(body) < int(self.headers.get("Content-Length") or 0):
            return self.drop()
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{oid}.{threading.get_ident()}")
        aside.write_bytes(body)
        aside.rename(path)
        self.say(200, b"", "text/plain")

    def backend(self, path: str, query: str, body: bytes):
        """Git's own CGI program."""
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.host.repos), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": USER}
        env |= {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body))}
        env |= {"CONTENT_TYPE": self.headers.get("Content-Type", ""), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")}
        env |= {"HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": str(self.host.repos)}
        said = subprocess.run([str(BACKEND)], env=env, input=body, capture_output=True).stdout
        head, _, answer = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self.say(status, answer, headers.pop("Content-Type", "text/plain"), headers)


def stored(host: GitHost, name: str) -> dict[str, str]:
    """The SHA-256 of each LFS object that the host has, by its name."""
    folder = host.objects / name
    return {path.name: sha256(path.read_bytes()) for path in folder.glob("*") if len(path.name) == 64}
