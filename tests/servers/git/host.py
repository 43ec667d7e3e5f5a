"""A Git host with LFS on loopback: `git http-backend` behind a web server with basic auth, and giftless beside it.

What is served is Git's own and giftless's; this file keeps the door, counts, and has the faults that a test asks for.
"""

import base64
import io
import json
import os
import re
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from giftless.app import init_app
from giftless.auth.identity import DefaultIdentity, Permission
from giftless.storage.local_storage import LocalStorage
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import FileWrapper, get_input_stream

from servers.git.gitlab import GitLab

BACKEND = subprocess.check_output(["git", "--exec-path"], text=True).strip() + "/git-http-backend"
HOOK = Path(__file__).resolve().parent / "pre_receive.py"
# Whom the host knows: a password, and whether its owner may write. One has signs that an address can't hold as they are.
ALICE, RITA, ODD = ("alice", "glpat-alice-canary"), ("rita", "glpat-rita-canary"), ("odd@ü", "p@ss/w?rd#%41 ü:canary")
# Its password is a word that stands in many names.
WORD = ("word", "main")
ACCOUNTS = {"alice": (ALICE[1], True), "rita": (RITA[1], False), "oauth2": (ALICE[1], True), "odd": (ODD[1], True), "word": (WORD[1], True)}
LFS_JSON = [("Content-Type", "application/vnd.git-lfs+json")]
CHUNKED = {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}
VERIFY_ACCEPT = "application/vnd.git-lfs+json"


@dataclass
class Seen:
    """One request as it came."""

    port: int
    method: str
    path: str
    query: str
    authorization: str
    # Where it came from.
    peer: str
    agent: str = ""
    answered: int = 0


@dataclass
class Rule:
    """What happens to requests that `meets` is true of: `answer` instead of the host's own, or its batch answers changed."""

    meets: object
    answer: object = None
    change: object = None
    left: int = -1


@dataclass
class Form:
    """How the host answers: as real ones were recorded to. A test sets another form."""

    # Only agents that begin with git/ or git-lfs/ come in; others are answered 421, as by ModelScope's edge.
    git_agents: bool = True
    # `Transfer-Encoding: chunked` and `Content-Type` stand among the headers of an upload (GitLab; the first at Gitea too).
    chunked: bool = True
    # A batch's answer names its transfer, as giftless does; GitLab's and Gitea's do not.
    named: bool = False
    # Verify wants the Accept header that its action named (Gitea).
    verify_accept: bool = True
    # What the batch answers to uploads with 406, when the repo takes no more (GitLab).
    full: str = ""
    # A push without a Content-Length is answered so: 411, 400, 501.
    unsized: str = ""
    # So many pushes are told that LFS objects are missing, which are there (GitLab's list lags).
    late: int = 0
    # Each answer comes so many seconds later, as from far away.
    latency: float = 0.0


@dataclass
class Host:
    """Repositories below `root`, LFS objects in `store`; served at two origins that share them."""

    root: Path
    store: Path
    seen: list = field(default_factory=list)
    rules: list = field(default_factory=list)
    public: set = field(default_factory=set)
    lfs_off: set = field(default_factory=set)
    # Who else has the LFS side of a repo.
    lfs_at: dict = field(default_factory=dict)
    form: Form = field(default_factory=Form)
    # What batches asked.
    batches: list = field(default_factory=list)

    def start(self):
        config = {
            "LEGACY_ENDPOINTS": False,
            "AUTH_PROVIDERS": ["servers.git.host:of_the_door"],
            "PRE_AUTHORIZED_ACTION_PROVIDER": {"options": {"private_key": "of this host alone, which nobody else needs to know"}},
            "TRANSFER_ADAPTERS": {"basic": {"options": {"storage_class": "servers.git.host:Storage", "storage_options": {"path": str(self.store)}}}},
        }
        self.lfs = init_app(additional_config=config)
        self.gitlab = GitLab(self)
        self.servers = [self.serve("127.0.0.1") for _ in range(2)]
        self.url, self.other = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def serve(self, address):
        server = make_server(address, 0, self, threaded=True, request_handler=Quiet)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @contextmanager
    def known_at(self, address):
        """For a while it is served at another address of this machine, and its repos have that one."""
        server, usual = self.serve(address), self.url
        self.url = f"http://{address}:{server.server_port}"
        yield
        self.url = usual
        server.shutdown()
        server.server_close()

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def fresh(self):
        """Forgets what was seen and asked for."""
        self.seen.clear()
        self.rules.clear()
        self.lfs_off.clear()
        self.lfs_at.clear()
        self.batches.clear()
        self.form = Form()

    def rule(self, meets, answer=None, change=None, times=-1):
        self.rules.append(Rule(meets, answer, change, times))

    def asked(self, method, part):
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    def transfers(self):
        """LFS contents that went in or out."""
        return [seen for seen in self.seen if "/objects/storage/" in seen.path and seen.method in ("GET", "PUT")]

    def __call__(self, environ, start):
        environ["wsgi.input"] = get_input_stream(environ)
        # As Hugging Face and GitLab do, Git is answered with and without the ending.
        environ["PATH_INFO"] = re.sub(r"^(/[^.]+)(/info/refs|/git-[a-z]+-pack)$", r"\1.git\2", environ["PATH_INFO"])
        seen = Seen(
            int(environ["SERVER_PORT"]), environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""),
            environ.get("HTTP_AUTHORIZATION", ""), environ["REMOTE_ADDR"], environ.get("HTTP_USER_AGENT", ""),
        )
        self.seen.append(seen)
        if self.form.latency:
            time.sleep(self.form.latency)

        def begin(status, headers, exc_info=None):
            seen.answered = int(status[:3])
            return start(status, headers, exc_info)

        try:
            return self.answer(environ, seen, begin)
        except Exception:
            # Who asked has gone, before all of it was sent say: nobody waits for this any more.
            seen.answered = seen.answered or 499
            raise

    def answer(self, environ, seen, begin):
        rule = next((rule for rule in self.rules if rule.left != 0 and rule.meets(seen)), None)
        if rule:
            rule.left -= 1
        if rule and rule.answer:
            drain(environ)
            status, headers, body = rule.answer(seen)
            begin(status, headers)
            return [body]
        if seen.path.startswith("/api/v4/"):
            return self.gitlab(environ, begin)
        if self.form.git_agents and not environ.get("HTTP_USER_AGENT", "").startswith(("git/", "git-lfs/")):
            return told(environ, begin, "421 Misdirected Request", "mirror self-forwarded loop detected")
        return self.of_repo(environ, seen, begin, rule and rule.change)

    def of_repo(self, environ, seen, begin, change):
        repo = seen.path.split(".git/")[0].strip("/")
        carries = seen.authorization.startswith("Bearer ") or "jwt=" in seen.query
        stored = "/info/lfs/objects/storage" in seen.path and carries
        batch = self.batch(environ) if seen.path.endswith("/objects/batch") else {}
        writes = "git-receive-pack" in seen.path + seen.query or batch.get("operation") == "upload"
        refusal = None if stored else self.refusal(seen, repo, writes)
        if refusal:
            drain(environ)
            begin(refusal, [("WWW-Authenticate", 'Basic realm="forge"'), ("Content-Type", "text/plain")])
            return [b"HTTP Basic: Access denied"]
        if "/info/lfs/" in seen.path:
            return self.of_lfs(environ, repo, begin, change, batch)
        if seen.path.endswith("/git-receive-pack") and self.form.unsized and "CONTENT_LENGTH" not in environ:
            return told(environ, begin, self.form.unsized, "a length is required")
        return self.of_git(environ, seen, begin)

    def batch(self, environ):
        """What a batch asks. The question is put back."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        self.batches.append(json.loads(body))
        return self.batches[-1]

    def refusal(self, seen, repo, writes):
        """Why the door stays closed: the status, or None."""
        who = account(seen.authorization)
        if who is None and (seen.authorization or writes or repo not in self.public):
            return "401 Unauthorized"
        if not (self.root / f"{repo}.git").is_dir():
            return "404 Not Found"
        return "403 Forbidden" if writes and not ACCOUNTS[who][1] else None

    def of_lfs(self, environ, repo, begin, change, batch):
        if repo in self.lfs_off:
            return told(environ, begin, "501 Not Implemented", "Git LFS is not enabled on this GitLab server, contact your admin.")
        if repo in self.lfs_at:
            return self.lfs_at[repo].lfs(f"{self.url}/{repo}.git", environ, begin)
        if self.form.full and batch.get("operation") == "upload":
            return told(environ, begin, "406 Not Acceptable", self.form.full)
        if environ["PATH_INFO"].endswith("/verify") and self.form.verify_accept and environ.get("HTTP_ACCEPT") != VERIFY_ACCEPT:
            return told(environ, begin, "415 Unsupported Media Type", f"{VERIFY_ACCEPT} is expected")
        if not batch:
            return self.lfs(environ, begin)
        answered = {}
        body = b"".join(self.lfs(environ, lambda status, headers, exc_info=None: answered.update(status=status)))
        answer = json.loads(body)
        self.formed(answer)
        if change:
            change(answer)
        begin(answered["status"], LFS_JSON)
        return [json.dumps(answer).encode()]

    def formed(self, answer):
        """A batch's answer as the hosts give it."""
        if not self.form.named:
            answer.pop("transfer", None), answer.pop("hash_algo", None)
        for actions in (entry.get("actions", {}) for entry in answer.get("objects", [])):
            if self.form.chunked and "upload" in actions:
                actions["upload"].setdefault("header", {}).update(CHUNKED)
            if self.form.verify_accept and "verify" in actions:
                actions["verify"].setdefault("header", {})["Accept"] = VERIFY_ACCEPT

    def of_git(self, environ, seen, begin):
        """Git's own CGI program."""
        kept = {key: value for key, value in environ.items() if isinstance(value, str) and (key.startswith("HTTP_") or key.isupper())}
        env = {**kept, "PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
               "REMOTE_USER": account(seen.authorization) or "", "FORGE_LFS": str(self.store), "GATEWAY_INTERFACE": "CGI/1.1"}
        if seen.path.endswith("/git-receive-pack") and self.form.late:
            self.form.late -= 1
            env["FORGE_LATE"] = "1"
        process = subprocess.Popen([BACKEND], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=feed, args=(environ["wsgi.input"], process.stdin), daemon=True).start()
        status, headers = "200 OK", []
        while (line := process.stdout.readline().strip()):
            name, value = line.decode().split(": ", 1)
            if name == "Status":
                status = value
            else:
                headers.append((name, value))
        begin(status, headers)
        return until_end(process)


class Quiet(WSGIRequestHandler):
    """Says nothing of its requests."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


class Storage(LocalStorage):
    """Takes and gives files in large pieces: by itself giftless gives them line by line."""

    def get(self, prefix, oid):
        return FileWrapper(super().get(prefix, oid), 1 << 20)

    def put(self, prefix, oid, data_stream):
        with self._get_path(prefix, oid).open("wb", buffering=0) as stored:
            while piece := data_stream.read(1 << 20):
                stored.write(piece)
            return stored.tell()


def of_the_door(_):
    """Whoever came in may do what was asked: the door has looked."""
    user = DefaultIdentity(name="door", id="door")
    user.allow(permissions=Permission.all())
    return user


def account(authorization):
    """Who says so, if the password is right."""
    scheme, _, told = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(told).decode().partition(":")
    except ValueError:
        return None
    if password == ODD[1] or f"{user}:{password}" == ":".join(ODD):
        return "odd"
    return user if user in ACCOUNTS and ACCOUNTS[user][0] == password else None


def told(environ, begin, status, message):
    """A refusal in words."""
    drain(environ)
    begin(status, LFS_JSON)
    return [json.dumps({"message": message}).encode()]


def drain(environ):
    while environ["wsgi.input"].read(1 << 20):
        pass


def feed(source, sink):
    try:
        while piece := source.read(1 << 16):
            sink.write(piece)
        sink.close()
    except (OSError, ValueError):
        pass


def until_end(process):
    try:
        while piece := process.stdout.read1(1 << 16):
            yield piece
    finally:
        process.stdout.close()
        process.wait()
