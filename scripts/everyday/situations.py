"""Ten everyday situations: each types commands into a shell. A situation's comment is what stands above its transcript."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

from everyday.shell import Shell
from programs import STATIC, environment

MODEL = (
    {"path": "README.md", "text": "# A small model\n"},
    {"path": "config.json", "text": "{}\n"},
    {"path": "model-1.safetensors", "size": 6_000_000, "seed": 1},
    {"path": "model-2.safetensors", "size": 5_000_000, "seed": 2},
    {"path": "model-3.safetensors", "size": 4_000_000, "seed": 3},
)


def seed(shell: Shell, name: str, *files: dict, hub: str = "hf", kind: str = "model", **more):
    shell.sandbox.seed(hub, kind, name, *(files or MODEL), message="m", **more)


def with_token(shell: Shell):
    shell.environment["MODELSCOPE_TOKEN"] = shell.sandbox.ms_alice


def first_use(shell: Shell):
    """First use: a token, a check, a copy. The second copy finds nothing to do, and `verify` compares once more."""
    seed(shell, "alice/model")
    shell.run("hf2ms migrate alice/model", 3)
    shell.export("MODELSCOPE_TOKEN", shell.sandbox.ms_alice, "ms-...")
    shell.run("hf2ms doctor")
    shell.run("hf2ms migrate alice/model")
    shell.run("hf2ms migrate alice/model")
    shell.run("hf2ms verify alice/model")


def private_repo(shell: Shell):
    """A private repo: without a token nobody sees it. The copy is private as well, and a public repo is not written by accident."""
    seed(shell, "alice/model", private=True)
    seed(shell, "alice/shown", {"path": "README.md", "text": "# Shown\n"}, hub="ms")
    with_token(shell)
    shell.run("hf2ms migrate alice/model", 3)
    shell.export("HF_TOKEN", shell.sandbox.hf_alice, "hf_...")
    shell.run("hf2ms migrate alice/model --dest alice/shown", 3)
    shell.run("hf2ms migrate alice/model")


def interrupted(shell: Shell):
    """Interrupted and resumed: Ctrl-C in the middle, a look at the run, and the same command again."""
    seed(shell, "alice/model")
    with_token(shell)
    stored_as = shell.sandbox.stored("hf", "model", "alice/model")
    for path in ("model-2.safetensors", "model-3.safetensors"):
        shell.sandbox.fault("ms_storage.put", "slow", path=stored_as[path][0], bytes_per_second=50_000)
    stored = lambda: shell.sandbox.counted("ms_storage.put")["statuses"].get("200", 0) > 0  # noqa: E731
    shell.stopped("hf2ms migrate alice/model", stored)
    shell.sandbox.ask("DELETE", "/faults")
    shell.run("hf2ms runs")
    shell.run("hf2ms status last")
    shell.run("hf2ms migrate alice/model")


def quota(shell: Shell):
    """A quota: the account's storage is full. Nothing is tried again and again, and the files that fit can still be copied."""
    seed(shell, "alice/model", hub="ms", private=True)
    with_token(shell)
    shell.environment["HF_TOKEN"] = shell.sandbox.hf_alice
    shell.sandbox.post("/settings", hf_private_storage=1_000_000)
    shell.run("hf2ms migrate ms:alice/model", 3)
    shell.run("hf2ms migrate ms:alice/model --exclude '*.safetensors'")


def revoked_token(shell: Shell):
    """A token that is revoked while the copy is under way: the run ends at once, and a new token goes on."""
    seed(shell, "alice/model", *MODEL[:3])
    with_token(shell)
    sandbox = shell.sandbox
    sandbox.fault("ms_storage.put", "slow", count=1, bytes_per_second=1_500_000)
    put = lambda: sandbox.counted("ms_storage.put")["requests"] > 0  # noqa: E731
    shell.struck("hf2ms migrate alice/model", put, lambda: sandbox.post("/token/revoke", token=sandbox.ms_alice), 3)
    sandbox.post("/token/restore", token=sandbox.ms_alice)
    shell.export("MODELSCOPE_TOKEN", sandbox.ms_alice, "ms-...")
    shell.run("hf2ms migrate alice/model")


def lost_file(shell: Shell):
    """A file that the source has lost: the others are copied, the file is named, and it can be left out."""
    seed(shell, "alice/model")
    with_token(shell)
    lost = shell.sandbox.stored("hf", "model", "alice/model")["model-2.safetensors"][0]
    shell.sandbox.post("/blob/remove", hub="hf", sha256=lost)
    shell.run("hf2ms migrate alice/model", 1)
    shell.run("hf2ms migrate alice/model --exclude model-2.safetensors")


def batch(shell: Shell):
    """A batch: a list of repos, of which one is there already, one is a Space and one does not exist."""
    for number, name in enumerate(("alice/one", "alice/two", "alice/three")):
        seed(shell, name, {"path": "model.safetensors", "size": 3_000_000, "seed": 10 + number}, {"path": "README.md", "text": f"# {name}\n"})
    seed(shell, "alice/app", {"path": "app.py", "text": "print()\n"}, kind="space", sdk="gradio")
    with_token(shell)
    quiet = Shell(shell.sandbox, shell.folder, MODELSCOPE_TOKEN=shell.sandbox.ms_alice)
    quiet.run("hf2ms migrate alice/three")
    shell.write("repos.txt", "alice/one\nalice/two     alice/second\nalice/three\nspaces/alice/app\nalice/four    # a typing error\n")
    shell.run("hf2ms batch --file repos.txt", 3)
    shell.run("hf2ms status last")


def prune(shell: Shell):
    """Deletions: the destination has files that the source has not. Nothing goes unless it is asked for."""
    seed(shell, "alice/model")
    old = [{"path": f"old/{number}.txt", "text": f"{number}\n"} for number in range(2)]
    seed(shell, "alice/model", *old, *MODEL[:2], hub="ms", platform_files=True)
    with_token(shell)
    shell.run("hf2ms migrate alice/model")
    shell.run("hf2ms migrate alice/model --prune --dry-run")
    shell.run("hf2ms migrate alice/model --prune --max-delete 10")


def mirror(shell: Shell):
    """A mirror: a Git repo with its history and LFS objects goes to another Git host, and then what is new."""
    # Its LFS server is a package that only this situation needs.
    from servers.git.host import ALICE, Host
    from servers.git.repos import Lfs, Repo

    host = Host(shell.folder / "git", shell.folder / "lfs")
    host.root.mkdir()
    host.store.mkdir()
    host.start()
    try:
        source, target = Repo.new(host, "group/model"), Repo.new(host, "mirror/model")
        source.commit("refs/heads/main", {"README.md": b"# A model\n", "model.bin": Lfs(b"weights" * 100_000)}).flush().tag("v1", "main")
        shell.addresses[host.url] = "https://git.example"
        shell.environment |= {"SOURCE_USERNAME": ALICE[0], "SOURCE_TOKEN": ALICE[1]}
        command = f"hf2ms mirror -s {source.url} -t {target.url}"
        shell.run(command, 3)
        shell.export("TARGET_USERNAME", ALICE[0], "alice")
        shell.export("TARGET_TOKEN", ALICE[1], "glpat-...")
        shell.run(f"{command} --dry-run")
        shell.run(command)
        source.commit("refs/heads/main", {"README.md": b"# A better model\n"}).flush()
        shell.run(command)
        shell.run(command)
    finally:
        host.stop()


def cloud(shell: Shell):
    """The cloud: containers on Modal do the work, and the terminal may be closed. Here Modal is a loopback one, to which Modal's own SDK
    speaks."""
    from servers.modal.loopback import Loopback

    seed(shell, "alice/model")
    with_token(shell)
    plane = Loopback("--hurry", "50", "--scaledown", "3")
    try:
        shell.environment |= environment("HF2MS_PYTHON", **plane.environment())
        shell.environment["HF2MS_STATIC_WORKER"] = str(STATIC)
        shell.run("hf2ms migrate alice/model --on modal --dry-run")
        shell.run("hf2ms migrate alice/model --on modal --max-cost 5 --detach")
        shell.run("hf2ms attach last")
    finally:
        plane.close()


# In the order of the page; the last one needs Modal's SDK and the static worker.
ALL = (first_use, private_repo, interrupted, quota, revoked_token, lost_file, batch, prune, mirror, cloud)
CHEAP = ALL[:-1]


def transcript(situation, sandbox_of) -> list[str]:
    """The lines of a situation, on hubs of its own."""
    with tempfile.TemporaryDirectory(prefix="hf2ms-transcript-") as folder, sandbox_of(Path(folder) / "blobs") as sandbox:
        home = Path(folder) / "home"
        home.mkdir()
        shell = Shell(sandbox, home)
        situation(shell)
        return shell.lines


def title(situation) -> SimpleNamespace:
    """The heading and the text of a situation."""
    text = " ".join(situation.__doc__.split())
    heading = text.split(":")[0]
    rest = text[len(heading) + 2 :]
    return SimpleNamespace(heading=heading, text=rest[:1].upper() + rest[1:])
