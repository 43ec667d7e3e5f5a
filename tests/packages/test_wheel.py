"""The wheel works right after it was installed: alone, in containers of this machine and of a loopback Modal."""

import http.server
import subprocess
import sys
import threading
import zipfile

import pytest

from mirrors.docker import has_docker
from packages.installed import tool, wheel
from programs import ROOT
from servers.modal.loopback import Loopback

MEGABYTE = 1_000_000


def version():
    return subprocess.run([sys.executable, ROOT / "scripts/release.py", "version"], capture_output=True, text=True, check=True).stdout.strip()


def test_the_wheel_is_small_and_holds_static_programs(package):
    assert package.stat().st_size < 25 * MEGABYTE
    with zipfile.ZipFile(package) as files:
        programs = {info.filename.rsplit("/", 1)[1]: info for info in files.infolist() if ".data/scripts/" in info.filename}
        assert set(programs) == {"hf2ms", "hf2ms-worker", "hf2ms-sandbox"}
        assert programs["hf2ms-worker"].file_size < 10 * MEGABYTE
        assert all(info.external_attr >> 16 & 0o111 for info in programs.values()), "programs can be started"
        assert b"/lib64/ld-linux" not in files.read(programs["hf2ms"])[:4096], "no loader is asked for"


@pytest.mark.parametrize("command", [["hf2ms"], ["python", "-m", "hf2ms"], ["hf2ms-cli"]], ids=" ".join)
@pytest.mark.parametrize("installer", ["by_pip", "by_uv"])
def test_each_way_to_start_it_starts_it(request, installer, command):
    ran = request.getfixturevalue(installer).run(*command, "--version")
    assert (ran.returncode, ran.stdout.strip()) == (0, f"hf2ms {version()}")


def test_the_other_lines_of_the_readme_install_and_start_it(package, tmp_path, readme):
    folders = {f"UV_{name}_DIR": str(tmp_path / name) for name in ("TOOL", "TOOL_BIN", "CACHE")}
    there = folders | {"UV_FIND_LINKS": str(package.parent), "UV_OFFLINE": "1", "UV_PYTHON": sys.executable}
    assert tool(*readme("uvx"), "--version", **there).strip() == f"hf2ms {version()}"
    tool(*readme("uv"), **there)
    said = subprocess.run([tmp_path / "TOOL_BIN/hf2ms", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"hf2ms {version()}"


SHARED = ("bash-completion/completions/hf2ms", "zsh/site-functions/_hf2ms", "fish/vendor_completions.d/hf2ms.fish", "man/man1/hf2ms-migrate.1")


@pytest.mark.parametrize("file", SHARED)
def test_completions_and_manual_pages_are_where_they_are_looked_for(by_pip, file):
    assert "hf2ms" in (by_pip.bin.parent / "share" / file).read_text()


def test_the_exit_code_is_that_of_the_program(by_pip):
    assert by_pip.run("python", "-m", "hf2ms", "no-such-verb").returncode == 2


def test_the_demo_runs(by_pip):
    ran = by_pip.run("hf2ms", "demo")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "model.safetensors" in ran.stdout


def test_a_repo_is_copied_by_the_worker_beside_it(by_pip, sandbox, repo, copied):
    copied(by_pip.migrate(sandbox, repo))


@pytest.mark.skipif(not has_docker(), reason="needs Docker")
def test_containers_are_made_of_the_worker_beside_it(by_pip, sandbox, repo, copied):
    ran = by_pip.migrate(sandbox, repo, "--on", "docker", "--network", "host")
    copied(ran)


def test_modal_is_spoken_to_by_the_python_beside_it(by_uv, sandbox, repo, copied):
    loopback = Loopback("--hurry", "50", stderr=subprocess.DEVNULL)
    try:
        copied(by_uv.migrate(sandbox, repo, "--on", "modal", **loopback.environment()))
    finally:
        assert loopback.close() == 0


def test_a_missing_sdk_of_modal_is_one_line_for_each_installer(by_pip, sandbox, repo):
    ran = by_pip.migrate(sandbox, repo, "--on", "modal", MODAL_TOKEN_ID="ak-1", MODAL_TOKEN_SECRET="as-1")
    assert ran.returncode == 2
    line = ran.stderr.strip().splitlines()[-1]
    for installer in ("pip install", "pipx install", "uv tool install"):
        assert f"{installer} 'hf2ms-cli[modal]'" in line or f"{installer} --force 'hf2ms-cli[modal]'" in line, line


def test_a_wheel_for_another_platform_is_refused(by_pip, package, tmp_path):
    other = tmp_path / package.name.replace("x86_64", "aarch64")
    other.symlink_to(package)
    ran = by_pip.run("python", "-m", "pip", "install", "--no-index", "--force-reinstall", str(other))
    assert ran.returncode != 0 and "not a supported wheel on this platform" in ran.stderr


def test_a_worker_of_another_version_is_named(by_pip, sandbox, tmp_path):
    worker = tmp_path / "hf2ms-worker"
    worker.write_text("""#!/bin/sh\necho '{"event":"checked","version":"9.9.9","endpoints":[]}'\n""")
    worker.chmod(0o755)
    ran = by_pip.run("hf2ms", "doctor", HF2MS_WORKER=str(worker), HF_ENDPOINT=sandbox.hf, MODELSCOPE_ENDPOINT=sandbox.ms)
    assert ran.returncode == 3
    assert any("9.9.9" in line and line.startswith("! worker") for line in ran.stdout.splitlines()), ran.stdout


class WantsLogin(http.server.BaseHTTPRequestHandler):
    """A proxy that carries nothing without a login."""

    def do_CONNECT(self):
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_CONNECT

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("login, words", [("", "in HTTPS_PROXY wants a login: put USER:PASSWORD@"), ("me:canary@", "refuses the login in HTTPS_PROXY: correct USER")])
def test_a_proxy_that_wants_a_login_is_one_line_without_the_password(by_pip, login, words):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WantsLogin) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        named = f"http://{login}localhost:{proxy.server_port}"
        ran = by_pip.run("hf2ms", "migrate", "alice/model", HTTPS_PROXY=named, HF_ENDPOINT="https://hub.example", MODELSCOPE_TOKEN="ms-1234567")
        proxy.shutdown()
    (line,) = (line for line in ran.stderr.splitlines() if line.startswith("error: "))
    assert ran.returncode == 2 and words in line
    assert "canary" not in ran.stdout + ran.stderr


def test_a_home_that_cant_be_written_is_one_line(by_pip, sandbox, repo):
    # Not even root may write there.
    ran = by_pip.migrate(sandbox, repo, HOME="/proc")
    assert ran.returncode != 0
    line = ran.stderr.strip().splitlines()[-1]
    assert "/proc" in line and "HF2MS_STATE" in line, line


def test_without_a_home_it_works_or_says_one_line(by_pip, sandbox, repo, copied, tmp_path):
    environment = {"HOME": "", "HF2MS_STATE": str(tmp_path)}
    copied(by_pip.migrate(sandbox, repo, **environment))
