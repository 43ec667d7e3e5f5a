"""packaging/huggingface-job: the job and the webhook that the official client asks for, and what such a job does."""

import contextlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from programs import ROOT, WORKER, environment

SCRIPT = ROOT / "packaging/huggingface-job/copy_on_push.py"
IMAGE = "registry.example/hf2ms-worker:1"
REPOS = ("/api/models/alice/weights", "/api/datasets/alice/pushed")


@contextlib.contextmanager
def jobs(webhooks=200):
    """A Hugging Face that has two repos, jobs and webhooks, and a list of what it was asked to make."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/api/whoami-v2":
                return self.answer({"name": "alice", "type": "user", "auth": {}})
            if self.path in REPOS:
                return self.answer({"id": self.path.split("/", 3)[3], "private": False})
            self.answer({}, 404, [("X-Error-Code", "RepoNotFound")])

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            job = {"id": "job-1", "owner": {"id": "1", "name": "alice", "type": "user"}, "status": {"stage": "SCHEDULING"}}
            hook = {"id": "hook-1", "watched": body.get("watched", []), "domains": body.get("domains", []), "disabled": False}
            if self.path.startswith("/api/jobs/"):
                return self.answer(job)
            self.answer({"webhook": hook}, webhooks)

        def answer(self, body, status=200, more=()):
            data = json.dumps(body).encode()
            self.send_response(status)
            for header in more:
                self.send_header(*header)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def push_job(sandbox, tmp_path):
    """Runs the script; returns its result, and the job and the webhook that it asked for."""

    def run(*args, webhooks=200, **variables):
        with jobs(webhooks) as (url, asked):
            of_test = environment(HOME=str(tmp_path), HF_ENDPOINT=url, HF_TOKEN="hf_of_the_login") | variables
            ran = subprocess.run([sys.executable, SCRIPT, *args, "--image", IMAGE], env=of_test, capture_output=True, text=True, timeout=120)
        return ran, asked

    return run


def worker(sandbox, tmp_path, spec, secrets, **more):
    """What the job's container does: the image's program, with the variables of the job."""
    program, *args = spec["command"]
    assert program == "/hf2ms-worker", "the path of the program in the image (docker/Dockerfile)"
    hubs = {"HF_ENDPOINT": sandbox.hf, "MODELSCOPE_ENDPOINT": sandbox.ms, "HOME": str(tmp_path)}
    variables = environment(**hubs) | spec["environment"] | secrets | more
    ran = subprocess.run([WORKER, *args], env=variables, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_push_is_copied(sandbox, tmp_path, push_job):
    def push(text):
        sandbox.seed("hf", "dataset", "alice/pushed", {"path": "rows.csv", "text": text}, message="m")

    ran, asked = push_job("datasets/alice/pushed", "ms:alice/pushed", MODELSCOPE_TOKEN=sandbox.ms_alice)
    assert ran.returncode == 0, ran.stderr
    (job_path, job), (hook_path, hook) = asked
    assert (job_path, hook_path) == ("/api/jobs/alice", "/api/settings/webhooks")
    assert (job["dockerImage"], job["flavor"], job["timeoutSeconds"]) == (IMAGE, "cpu-basic", 12 * 3600)
    assert (hook["jobSourceId"], hook["domains"]) == ("job-1", ["repo"])
    assert hook["watched"] == [{"type": "dataset", "name": "alice/pushed"}]
    # No token is in what the hub shows of a job, nor in what the script prints; the login is no secret of the job.
    assert sandbox.ms_alice not in json.dumps({**job, "secrets": None}) + ran.stdout + ran.stderr
    assert "hf_of_the_login" not in json.dumps(asked)

    push("a\n1\n")
    worker(sandbox, tmp_path, job, job["secrets"])
    push("a\n1\n2\n")
    payload = json.dumps({"event": {"action": "update", "scope": "repo.content"}, "repo": {"name": "alice/pushed"}})
    worker(sandbox, tmp_path, job, hook["secrets"], WEBHOOK_PAYLOAD=payload, WEBHOOK_REPO_ID="alice/pushed", WEBHOOK_REPO_TYPE="dataset")
    assert sandbox.stored("ms", "dataset", "alice/pushed")["rows.csv"][1] == len("a\n1\n2\n")


def test_a_secret_that_is_not_set_makes_no_job(push_job):
    ran, asked = push_job("alice/weights", "ms:alice/weights")
    assert ran.returncode == 2 and "MODELSCOPE_TOKEN is not set" in ran.stderr and asked == []


NAMED = {"hf:alice/weights": ("model", "alice/weights"), "https://huggingface.co/datasets/alice/pushed": ("dataset", "alice/pushed"), "alice/pushed": ("dataset", "alice/pushed")}


@pytest.mark.parametrize("source", NAMED)
def test_each_form_of_a_name_is_the_repo_that_it_means(push_job, source):
    """A webhook has the kind of the repo, also where the name does not say it."""
    ran, asked = push_job(source, "ms:alice/copy", MODELSCOPE_TOKEN="ms-1")
    assert ran.returncode == 0, ran.stderr
    kind, id = NAMED[source]
    (_, job), (_, hook) = asked
    assert job["command"] == ["/hf2ms-worker", "migrate", f"hf:{kind}s/{id}", "ms:alice/copy"]
    assert hook["watched"] == [{"type": kind, "name": id}]


@pytest.mark.parametrize(
    ("source", "destination", "code", "words"),
    [
        ("ms:alice/weights", "hf:alice/copy", 2, "ms:alice/weights is no model or dataset on Hugging Face"),
        ("spaces/alice/app", "ms:alice/copy", 2, "spaces/alice/app is no model or dataset"),
        ("weights", "ms:alice/copy", 2, "weights is no model or dataset"),
        ("alice/absent", "ms:alice/copy", 3, "alice/absent was not found on Hugging Face"),
        ("alice/weights", "ms:copy", 2, "ms:copy is no destination"),
    ],
)
def test_a_name_that_is_wrong_makes_no_job(push_job, source, destination, code, words):
    """A job costs money, and its webhook would wait for a repo that does not exist."""
    ran, asked = push_job(source, destination, MODELSCOPE_TOKEN="ms-1")
    assert ran.returncode == code and words in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
    assert asked == []


def test_a_webhook_that_is_refused_leaves_a_job_that_is_named(push_job):
    ran, asked = push_job("alice/weights", "ms:alice/copy", webhooks=403, MODELSCOPE_TOKEN="ms-1")
    assert ran.returncode == 3 and len(asked) == 2
    assert "the webhook can't be had of Hugging Face: 403 Forbidden" in ran.stderr and "hf jobs cancel alice/job-1 ends it" in ran.stderr, ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_hub_that_is_not_reached_is_one_line(push_job):
    ran, asked = push_job("alice/weights", "ms:alice/copy", MODELSCOPE_TOKEN="ms-1", HF_ENDPOINT="http://127.0.0.1:9")
    assert (ran.returncode, len(ran.stderr.splitlines()), asked) == (3, 1, []), ran.stderr
