"""The ways in which the Python tool was used, with only the program's name changed; and the runs that a user sees afterwards."""

import signal
import subprocess

from mirrors.world import CLEAN
from programs import HF2MS, until
from servers.git.host import ALICE, WORD
from servers.git.repos import Lfs, Repo, git

LOGIN = f"TARGET_USERNAME={ALICE[0]}\nTARGET_TOKEN={ALICE[1]}\nSOURCE_USERNAME={ALICE[0]}\nSOURCE_TOKEN={ALICE[1]}\n"
NO_LOGIN = dict(SOURCE_USERNAME=None, SOURCE_TOKEN=None, TARGET_USERNAME=None, TARGET_TOKEN=None)


def test_the_old_examples_run_as_they_are(history):
    world, objects = history
    (world.folder / ".env").write_text(LOGIN)
    custom = world.folder / "custom.env"
    custom.write_text(LOGIN)
    logged_in = lambda repo: repo.url.replace("http://", f"http://{ALICE[0]}:{ALICE[1]}@")
    examples = [
        [],
        ["--no-cleanup"],
        ["--env-file", custom],
        ["--temp-dir", world.folder / "my_transfer"],
        ["--mirror"],
        ["--use-xget"],
    ]
    for number, flags in enumerate(examples):
        target = Repo.new(world.host, f"old{world.number}/{number}", hook=True)
        world.run("--source", world.source.url, "--target", target.url, *flags, TMPDIR=str(world.folder), **NO_LOGIN).ended(0)
        world.is_mirrored(target, objects)
    (world.folder / ".env").unlink()
    target = Repo.new(world.host, f"old{world.number}/url", hook=True)
    world.run("--source", logged_in(world.source), "--target", logged_in(target), **NO_LOGIN).ended(0)
    world.is_mirrored(target, objects)


def test_hugging_faces_token_is_for_hugging_face(history):
    world, _ = history
    target = world.target()
    mine = {"HF_ENDPOINT": world.host.url, "HF_USERNAME": ALICE[0], "HF_TOKEN": ALICE[1], "SOURCE_TOKEN": None, "SOURCE_USERNAME": None}
    world.run("-s", world.source.url, "-t", target.url, **mine).ended(0)
    assert target.refs() == world.source.refs()
    other = Repo.new(world.host, f"other{world.number}/model")
    elsewhere = world.source.url.replace(world.host.url, world.host.other)
    world.run("-s", elsewhere, "-t", other.url, **mine).ended(3, "SOURCE_TOKEN")
    there = int(world.host.other.rsplit(":", 1)[1])
    assert not any(seen.authorization for seen in world.host.seen if seen.port == there)


def test_a_password_that_is_a_branch_changes_no_name_and_is_warned_of(history):
    world, objects = history
    target = world.target(hook=True)
    ran = world.run("-s", world.source.url, "-t", target.url, TARGET_USERNAME=WORD[0], TARGET_TOKEN=WORD[1]).ended(0)
    world.is_mirrored(target, objects)
    assert "TARGET_TOKEN is shorter than 8 characters" in ran.stderr


def test_pointers_alone_are_pushed_where_the_objects_are(history):
    world, objects = history
    target = world.target(hook=True)
    ran = world.mirror(target, GIT_LFS_SKIP_SMUDGE="1").ended(3, "lacks 3 LFS objects", "--allow-missing")
    assert {file["path"] for file in ran.events()[-2]["lfs_objects"]} >= {"side.bin", "w.bin"}
    assert not target.refs() and not world.host.transfers()
    for oid in objects:
        target.put(Lfs((world.host.store / world.source.name / oid).read_bytes()))
    world.mirror(target, GIT_LFS_SKIP_SMUDGE="1").ended(0)
    assert not world.host.transfers()
    world.is_mirrored(target, objects)


def test_pointers_to_nothing_are_pushed_only_when_that_is_allowed(history):
    world, objects = history
    target = world.target()
    world.mirror(target, "--allow-missing").ended(2, "GIT_LFS_SKIP_SMUDGE")
    ran = world.mirror(target, "--allow-missing", GIT_LFS_SKIP_SMUDGE="1").ended(0)
    assert target.refs() == world.source.refs() and not target.objects() and ran.report()["lacking"] == 3
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_watching_mirrors_what_is_new_until_it_is_stopped(history):
    world, objects = history
    target = world.target(hook=True)
    command = [str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url, "--watch", "1s"]
    told = world.folder / "told"
    child = subprocess.Popen(command, env=world.environment(), cwd=world.folder, stdout=told.open("w"))
    rounds = lambda words: [line for line in told.read_text().splitlines() if " UTC  " in line and words in line]
    until(lambda: rounds("4 refs changed"))
    new = Lfs(b"while it is watched")
    world.source.commit("refs/heads/main", {"new.bin": new}, parent="refs/heads/main").flush()
    until(lambda: rounds("1 ref changed"))
    world.host.rule(lambda seen: "info/refs" in seen.path, lambda seen: ("403 Forbidden", [], b""), times=2)
    until(lambda: rounds("may not") and "no ref changed" in rounds("")[-1])
    # An idle round is a line, and nothing beside it.
    idle = len(told.read_text().splitlines())
    until(lambda: len(rounds("")) and len(told.read_text().splitlines()) >= idle + 2)
    assert all("no ref changed" in line for line in told.read_text().splitlines()[idle:])
    child.send_signal(signal.SIGTERM)
    assert child.wait() == 0, "the exit code of the last round"
    world.is_mirrored(target, objects | {new.oid})


def test_a_mirror_is_among_the_runs_and_has_a_status(history):
    world, _ = history
    world.mirror(world.target()).ended(0)
    ask = lambda *args: subprocess.run([str(HF2MS), *args], env=world.environment(), capture_output=True, text=True, check=True).stdout
    assert "=> Git" in ask("runs") and "3 objects in all history" in ask("status")
    assert "pushed    refs/heads/main" in ask("status") and "endpoint" in ask("status", "--json")


def test_the_help_says_what_is_needed():
    text = subprocess.run([str(HF2MS), "mirror", "--help"], env=CLEAN, capture_output=True, text=True, check=True).stdout
    for word in ("--pull-by", "--no-force", "--allow-missing", "--watch", "TARGET_TOKEN", "GIT_LFS_SKIP_SMUDGE", "HF_USERNAME"):
        assert word in text, word
