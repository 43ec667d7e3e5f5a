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


@contextlib.contextmanager
def jobs():
    """A Hugging Face that has jobs and webhooks only, and a list of what it was asked to make."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"name": "alice", "type": "user", "auth": {}})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            job = {"id": "job-1", "owner": {"id": "1", "name": "alice", "type": "user"}, "status": {"stage": "SCHEDULING"}}
            hook = {"id": "hook-1", "watched": body.get("watched", []), "domains": body.get("domains", []), "disabled": False}
            self.answer(job if self.path.startswith("/api/jobs/") else {"webhook": hook})

        def answer(self, body):
            data = json.dumps(body).encode()
            self.send_response(200)
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

    def run(*args, **variables):
        with jobs() as (url, asked):
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
    ran, asked = push_job("alice/pushed", "ms:alice/pushed")
    assert ran.returncode == 2 and "MODELSCOPE_TOKEN is not set" in ran.stderr and asked == []
