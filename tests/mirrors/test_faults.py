"""What goes wrong with Git hosts, LFS servers and logins, as `hf2ms mirror` meets it: the rows of the list of faults that touch it."""

import hashlib
import json
import os
import random
import signal
import subprocess
import threading

import pytest

from mirrors.answers import BATCH, LFS_JSON, STORAGE, answer, batch_of, first_pushed, transfer_of
from programs import HF2MS, until
from servers.git.host import ALICE, RITA
from servers.git.repos import Lfs, git, with_history


# Names and permissions


@pytest.mark.parametrize("address", ["git@127.0.0.1:a/b.git", "ssh://127.0.0.1/a/b.git", "/tmp/repo", "https://", "http://127.0.0.1/"])
def test_what_is_no_git_address_is_refused_in_one_line(history, address):
    world, _ = history
    ran = world.run("-s", world.source.url, "-t", address).ended(2, "error: ")
    assert ran.stderr.count("\n") == 1 and not world.host.seen


def test_a_web_page_is_no_git_repo(history):
    world, _ = history
    world.host.rule(lambda seen: "page" in seen.path, answer("200 OK", b"<html>", [("Content-Type", "text/html")]))
    world.run("-s", world.source.url, "-t", f"{world.host.url}/a/page.git").ended(3, "no Git repo")


def test_no_such_repo_is_said_of_the_side_that_lacks_it(history):
    world, _ = history
    absent = f"{world.host.url}/no/such.git"
    world.run("-s", absent, "-t", world.target().url).ended(3, "the source", "was not found")
    world.run("-s", world.source.url, "-t", absent).ended(3, "the target", "was not found")


def test_without_the_right_to_push_nothing_moves(history):
    world, _ = history
    target = world.target()
    world.mirror(target, TARGET_USERNAME=RITA[0], TARGET_TOKEN=RITA[1]).ended(3, "may not push")
    assert len(world.host.seen) <= 2 and not world.host.transfers()


def test_missing_and_wrong_credentials_name_their_variables(history):
    world, _ = history
    target = world.target()
    world.mirror(target, TARGET_USERNAME=None, TARGET_TOKEN=None).ended(3, "TARGET_USERNAME", "TARGET_TOKEN")
    world.mirror(target, SOURCE_TOKEN="wrong").ended(3, "SOURCE_TOKEN", "does not take")
    assert len(world.host.seen) <= 8, "no storm of 401s"


def test_a_login_that_would_end_a_line_is_refused_and_not_shown(history):
    world, _ = history
    url = world.target().url.replace("http://", "http://me:p%0d%0aX-Evil%3A1@")
    ran = world.run("-s", world.source.url, "-t", url).ended(2, "can't be used")
    assert "Evil" not in ran.stderr and not world.host.seen


def test_a_login_that_is_revoked_half_way_stops_at_once(history):
    world, _ = history
    target = world.target()
    world.host.rule(batch_of(world.source.name), answer("401 Unauthorized", b'{"message":"revoked"}'))
    world.mirror(target).ended(3, "does not take")
    assert len(world.host.asked("POST", f"{world.source.name}.git/info/lfs/objects/batch")) == 1 and not target.refs()


def test_both_sides_equal_is_refused(history):
    world, _ = history
    world.run("-s", world.source.url, "-t", world.source.url.removesuffix(".git")).ended(2, "both source and target")


# LFS servers


def test_a_target_without_lfs_is_found_before_any_byte_moves(history):
    world, _ = history
    target = world.target()
    world.host.lfs_off.add(target.name)
    world.mirror(target).ended(3, "Git LFS is off")
    assert not world.host.transfers() and not first_pushed(world)


@pytest.mark.parametrize("status, words", [("507 Insufficient Storage", "quota is used up"), ("509 Bandwidth Limit Exceeded", "bandwidth")])
def test_a_full_target_is_found_before_any_byte_moves(history, status, words):
    world, _ = history
    target = world.target()
    world.host.rule(batch_of(target.name), answer(status, b'{"message":"no"}'))
    world.mirror(target).ended(3, words)
    assert not world.host.transfers() and not first_pushed(world)


@pytest.mark.parametrize("code, words", [(413, "too large"), (422, "not valid"), (507, "quota"), (509, "bandwidth")])
def test_an_object_that_the_target_refuses_costs_the_refs_that_lead_to_it(history, code, words):
    world, objects = history
    target = world.target(hook=True)
    side = hashlib.sha256(b"of a branch" * 3000).hexdigest()

    def refuse(told):
        for entry in told["objects"]:
            if entry["oid"] == side:
                entry.pop("actions", None)
                entry["error"] = {"code": code, "message": words}

    world.host.rule(batch_of(target.name), change=refuse)
    ran = world.mirror(target).ended(1, words)
    assert ran.refs()["refs/heads/dev/x"] == "refused" and ran.refs()["refs/heads/main"] == "pushed"
    assert target.objects() == objects - {side} and "refs/heads/dev/x" not in target.refs()
    world.clone(target)
    world.host.rules.clear()
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_an_object_that_the_source_lost_leaves_no_pointer_to_nothing(history):
    world, objects = history
    target = world.target(hook=True)
    lost = hashlib.sha256(b"of a branch" * 3000).hexdigest()
    (world.host.store / world.source.name / lost).unlink()
    ran = world.mirror(target).ended(1, "side.bin")
    assert ran.refs()["refs/heads/dev/x"] == "refused" and "refs/heads/dev/x" not in target.refs()
    assert target.objects() == objects - {lost}
    # What a person is told to do is possible: a mirror leaves no file out.
    said = world.run("-s", world.source.url, "-t", target.url).ended(1, "side.bin").stdout
    assert "give --allow-missing" in said and "--exclude" not in said


def test_of_two_objects_at_one_path_the_lost_one_costs_only_its_branch(world):
    target, kept, lost = world.target(hook=True), Lfs(b"kept" * 10), Lfs(b"lost, and longer" * 10)
    world.source.commit("refs/heads/main", {"w.bin": kept}).commit("refs/heads/other", {"w.bin": lost}).flush()
    (world.host.store / world.source.name / lost.oid).unlink()
    ran = world.mirror(target).ended(1, "w.bin")
    assert ran.refs() == {"refs/heads/main": "pushed", "refs/heads/other": "refused"} and target.objects() == {kept.oid}


def test_other_bytes_of_the_same_size_are_never_stored(history):
    world, _ = history
    target = world.target()
    oid = hashlib.sha256(b"of a branch" * 3000).hexdigest()
    (world.host.store / world.source.name / oid).write_bytes(b"OF A BRANCH" * 3000)
    ran = world.mirror(target).ended(4, "side.bin")
    assert ran.refs()["refs/heads/dev/x"] == "refused"
    assert oid not in target.objects() and "refs/heads/dev/x" not in target.refs()


@pytest.mark.parametrize("body", [b"of a branch" * 3001, b"of a branch" * 2999])
def test_a_longer_or_shorter_body_is_not_stored(history, body):
    world, _ = history
    target = world.target()
    oid = hashlib.sha256(b"of a branch" * 3000).hexdigest()
    world.host.rule(lambda seen: seen.method == "GET" and seen.path.endswith(oid), answer("200 OK", body))
    ran = world.run("-s", world.source.url, "-t", target.url)
    assert ran.code in (1, 4) and "side.bin" in ran.stdout and "refused   refs/heads/dev/x" in ran.stdout
    assert oid not in target.objects() and "refs/heads/dev/x" not in target.refs()


def test_an_expired_address_is_asked_for_again_and_one_that_always_is_fails(history):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(transfer_of(world.source.name, "GET"), answer("401 Unauthorized"), times=2)
    world.host.rule(transfer_of(target.name, "PUT"), answer("403 Forbidden"), times=1)
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)
    other = type(target).new(world.host, f"other{world.number}/model", hook=True)
    world.host.rule(transfer_of(world.source.name, "GET"), answer("403 Forbidden"))
    world.mirror(other).ended(1)
    assert not other.objects() and not other.refs()


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "408 Request Timeout", "429 Too Many Requests"])
def test_what_may_pass_is_tried_again(history, status):
    world, objects = history
    target = world.target(hook=True)
    for path in ("/info/refs", BATCH, STORAGE):
        world.host.rule(lambda seen, path=path: path in seen.path, answer(status), times=2)
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_an_answer_about_something_else_is_refused(history):
    world, _ = history
    target = world.target()
    world.host.rule(batch_of(world.source.name), change=lambda told: told["objects"].append({"oid": "0" * 64, "size": 1}))
    world.mirror(target).ended(1, "not asked for")
    assert not target.refs()


def test_an_action_elsewhere_gets_no_login(history):
    world, objects = history
    target = world.target(hook=True)

    def move(told):
        for entry in told["objects"]:
            for action in entry.get("actions", {}).values():
                action["href"] = action["href"].replace(world.host.url, world.host.other)

    for name in (world.source.name, target.name):
        world.host.rule(batch_of(name), change=move)
    world.mirror(target).ended(0)
    there = int(world.host.other.rsplit(":", 1)[1])
    moved = [seen for seen in world.host.seen if seen.port == there]
    assert moved and not any(seen.authorization.startswith("Basic ") for seen in moved)
    world.is_mirrored(target, objects)


def test_a_redirect_to_another_origin_gets_no_login(history):
    world, _ = history
    target = world.target()
    elsewhere = world.host.other + f"/{world.source.name}.git/info/refs?service=git-upload-pack"
    world.host.rule(
        lambda seen: seen.port == int(world.host.url.rsplit(":", 1)[1]) and seen.path.startswith(f"/{world.source.name}"),
        lambda seen: ("302 Found", [("Location", elsewhere)], b""),
    )
    world.mirror(target).ended(3)
    there = int(world.host.other.rsplit(":", 1)[1])
    assert not any(seen.authorization for seen in world.host.seen if seen.port == there)


# What a repo holds


def test_lfsconfig_is_followed_at_the_same_origin_only(world):
    target = world.target()
    moved, secret = Lfs(b"somewhere else" * 9), "http://evil.example/lfs"
    world.source.commit("refs/heads/main", {"w.bin": moved, ".lfsconfig": f"[lfs]\n\turl = {secret}\n".encode()}).flush()
    ran = world.mirror(target).ended(0)
    assert any("another LFS server" in event.get("message", "") for event in ran.events())
    same = f"{world.host.url}/elsewhere{world.number}/lfs.git/info/lfs"
    type(target).new(world.host, f"elsewhere{world.number}/lfs").put(Lfs(b"there" * 9))
    config = f"[lfs]\n\turl = {same}\n".encode()
    world.source.commit("refs/heads/main", {"x.bin": Lfs(b"there" * 9, stored=False), "w.bin": None, ".lfsconfig": config}, parent="refs/heads/main").flush()
    world.mirror(target).ended(0)
    assert hashlib.sha256(b"there" * 9).hexdigest() in target.objects()


def test_a_forged_pointer_is_a_plain_file_or_fails_alone(world):
    target, good = world.target(hook=True), Lfs(b"good" * 100)
    lies = Lfs(b"lies" * 100)
    forged = lies.pointer().replace(b"size 400", b"size 399")
    looks = good.pointer().replace(b"sha256:", b"sha256: ")
    world.source.commit("refs/heads/main", {"good.bin": good, "looks.bin": looks}).flush()
    world.source.put(lies)
    world.source.commit("refs/heads/forged", {"lies.bin": forged}).flush()
    ran = world.mirror(target).ended(1, "lies.bin")
    assert ran.refs() == {"refs/heads/main": "pushed", "refs/heads/forged": "refused"}
    assert target.objects() == {good.oid}


def test_names_with_odd_signs_are_escaped_on_the_screen_and_exact_in_git(world):
    target, odd = world.target(), Lfs(b"odd" * 10)
    long = "d/" * 100 + "x.bin"
    world.source.commit("refs/heads/main", {'"esc\\033[2J\\303\\251.bin"': odd, long: Lfs(b"long" * 10)}).flush()
    (world.host.store / world.source.name / odd.oid).unlink()
    ran = world.run("-s", world.source.url, "-t", target.url)
    assert ran.code == 1 and "\x1b" not in ran.stdout + ran.stderr and "u{1b}" in ran.stdout
    world.source.put(odd)
    world.mirror(target).ended(0)
    assert target.refs() == world.source.refs()


def test_submodules_and_symlinks_go_as_they_are(world):
    target = world.target()
    modules = f"[submodule \"sub\"]\n\tpath = sub\n\turl = {world.host.url}/x/y.git\n".encode()
    stream = (b"commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nx\n"
              b"M 120000 inline link\ndata 11\n/etc/passwd\nM 160000 1234567890123456789012345678901234567890 sub\n"
              b"M 100644 inline .gitmodules\ndata %d\n%s\n\n" % (len(modules), modules))
    subprocess.run(["git", "-C", str(world.source.path), "fast-import", "--quiet"], input=stream, check=True)
    world.mirror(target).ended(0)
    assert target.refs() == world.source.refs()
    assert not any("/x/" in seen.path for seen in world.host.seen)


# At once, and crashes


def test_a_locked_ref_is_tried_again(history):
    world, objects = history
    target = world.target(hook=True)
    lock = target.path / "refs/heads/main.lock"
    lock.touch()
    # The lock goes when the target has been asked to push twice.
    def unlock(seen):
        if seen.path.endswith("/git-receive-pack") and len(first_pushed(world)) >= 2:
            lock.unlink(missing_ok=True)
        return False

    world.host.rule(unlock)
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_a_push_whose_answer_is_lost_is_looked_at_before_it_is_repeated(history):
    world, objects = history
    target = world.target(hook=True)
    lost, original = [], world.host.of_git

    def of_git(environ, seen, begin):
        """The push happens; its answer does not arrive."""
        if seen.path == f"/{target.name}.git/git-receive-pack" and not lost:
            lost.append(seen)
            list(original(environ, seen, lambda status, headers, exc_info=None: None))
            begin("502 Bad Gateway", [("Content-Type", "text/plain")])
            return [b"lost"]
        return original(environ, seen, begin)

    world.host.of_git = of_git
    try:
        world.mirror(target).ended(0)
    finally:
        del world.host.of_git
    world.is_mirrored(target, objects)


def test_two_mirrors_to_one_target_do_not_meet(history):
    world, objects = history
    target = world.target()
    met = threading.Event()
    world.host.rule(transfer_of(world.source.name, "GET"), lambda seen: (met.wait(120), answer("503 Slow")(seen))[1], times=1)
    command = [str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url]
    first = subprocess.Popen(command, env=world.environment(), cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: world.host.transfers())
    world.mirror(target).ended(1, "is writing to")
    met.set()
    assert first.wait() == 0
    world.is_mirrored(target, objects)


@pytest.mark.parametrize("at", ["git-upload-pack", BATCH, STORAGE, "git-receive-pack"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_anywhere_the_same_command_finishes_and_leaves_nothing(history, at, how):
    world, objects = history
    target, folder = world.target(hook=True), world.folder / "tmp"
    folder.mkdir()
    command = [str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url]
    reached, ended = [], threading.Event()

    def hold(seen):
        if at in seen.path:
            reached.append(seen)
            ended.wait(120)
        return False

    world.host.rule(hold)
    child = subprocess.Popen(command, env=world.environment(TMPDIR=str(folder)), cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: reached)
    child.send_signal(how)
    assert child.wait() == (130 if how == signal.SIGINT else -9)
    ended.set()
    world.host.rules.clear()
    until(lambda: not workers_of(world) and all(seen.answered for seen in reached))
    until(lambda: not list(folder.iterdir()))
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def workers_of(world):
    """Worker processes of this test's runs."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            env = open(f"/proc/{pid}/environ", "rb").read()
            name = open(f"/proc/{pid}/comm").read()
        except OSError:
            continue
        if str(world.folder / "state").encode() in env and name.startswith("hf2ms-worker"):
            found.append(pid)
    return found


def test_a_worker_that_is_killed_is_replaced(history):
    world, objects = history
    target, killed = world.target(hook=True), set()

    def kill(seen):
        stage = next((part for part in ("git-upload-pack", STORAGE, "git-receive-pack") if part in seen.path), None)
        if stage and seen.method in ("POST", "GET") and stage not in killed:
            killed.add(stage)
            for pid in workers_of(world):
                os.kill(int(pid), signal.SIGKILL)
        return False

    world.host.rule(kill)
    ran = world.mirror(target).ended(0)
    assert len(killed) == 3 and ran.report()["lost_workers"] >= 1
    world.is_mirrored(target, objects)


def test_a_disk_without_room_is_said(history):
    world, _ = history
    world.mirror(world.target(), "--temp-dir", "/proc/nowhere").ended(1, "/proc/nowhere")


@pytest.fixture
def small(tmp_path):
    """A folder with room for 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_final_and_names_the_folder(world, small):
    world.source.commit("refs/heads/main", {"large.dat": random.Random(7).randbytes(1 << 20)}).flush()
    world.mirror(world.target(), TMPDIR=str(small)).ended(1, "TMPDIR", str(small), "No space left")
    assert len(world.host.asked("POST", "/git-upload-pack")) == 1


def test_an_object_that_unpacks_to_more_than_is_taken_is_refused_before_it_is(world):
    world.source.commit("refs/heads/main", {"zeros.dat": bytes(129 << 20)}).flush()
    world.mirror(world.target()).ended(1, "an object of 129 MiB", "belong into LFS")
    assert len(world.host.asked("POST", "/git-upload-pack")) == 1


def test_a_pipe_among_temporary_folders_is_waited_for_by_nobody(history):
    world, objects = history
    target, folder = world.target(), world.folder / "tmp"
    (folder / "hf2ms-git-x").mkdir(parents=True)
    os.mkfifo(folder / "hf2ms-git-x/alive")
    world.mirror(target, TMPDIR=str(folder)).ended(0)
    world.is_mirrored(target, objects)


def test_nothing_is_left_on_the_disk_but_what_was_asked_for(history):
    world, _ = history
    target, folder = world.target(), world.folder / "git"
    world.mirror(target, "--temp-dir", folder).ended(0)
    assert list(folder.iterdir()) == []
    again = type(target).new(world.host, f"again{world.number}/model")
    world.mirror(again, "--temp-dir", folder, "--no-cleanup").ended(0)
    assert any((kept / "objects").is_dir() for kept in folder.iterdir())
