"""A login by Hugging Face's own client is enough for `hf2ms`, at https://huggingface.co and at no other address."""

import datetime
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clients.copies import from_modelscope
from programs import environment

HOST = "huggingface.co"
LOG_IN = "import os; from huggingface_hub import login; login(token=os.environ['TYPED'], add_to_git_credential=False)"


def certificate(folder):
    """A certificate of HOST that is its own authority, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - day).not_valid_after(now + day).add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), False)
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    return folder / "ca.pem", folder / "key.pem"


def pipe(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    sink.close()


@pytest.fixture
def proxy(sandbox, tmp_path):
    """A proxy behind which HOST is the sandbox's Hugging Face; returns the variables with which programs go through it."""
    authority, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority, key)
    hub = urlsplit(sandbox.hf)

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self):
            asked = self.rfile.readline().decode()
            while self.rfile.readline().strip():
                pass
            if not asked.startswith(f"CONNECT {HOST}:443 "):
                return self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with tls.wrap_socket(self.connection, server_side=True) as client, socket.create_connection((hub.hostname, hub.port)) as server:
                back = threading.Thread(target=pipe, args=(server, client))
                back.start()
                pipe(client, server)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False

    with Server(("127.0.0.1", 0), Tunnel) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{served.server_address[1]}", "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": str(authority)}
        served.shutdown()


def test_a_private_repo_is_copied_by_the_login_of_the_client(sandbox, program, proxy, tmp_path):
    id, home = "alice/by-a-login", tmp_path / "hf"
    sandbox.seed("hf", "model", id, {"path": "README.md", "text": "# hello\n"}, {"path": "a.txt", "text": "a"}, private=True)
    sandbox.post("/settings", hf_named=f"https://{HOST}")
    logged_in = {"HF_HOME": str(home), "HF_TOKEN": None, "HF_ENDPOINT": None, **proxy}
    before = program("migrate", id, **logged_in)
    assert before.returncode == 3, before.stdout + before.stderr
    typed = environment(HF_ENDPOINT=sandbox.hf, HF_HOME=str(home), HOME=str(tmp_path), TYPED=sandbox.hf_alice)
    subprocess.run([sys.executable, "-c", LOG_IN], env=typed, check=True, capture_output=True)
    assert (home / "token").read_text() == sandbox.hf_alice
    done = program("migrate", id, **logged_in)
    assert done.returncode == 0, done.stdout + done.stderr
    came = from_modelscope(sandbox, id, "model", tmp_path / "down")
    assert (came["README.md"], came["a.txt"]) == (b"# hello\n", b"a") and sandbox.repo("ms", "model", id)["private"]
    elsewhere = program("plan", id, **(logged_in | {"HF_ENDPOINT": sandbox.hf}))
    assert elsewhere.returncode == 3, elsewhere.stdout + elsewhere.stderr
