"""What LFS servers and Git hosts answer, at its worst: waits, refusals, pages, verdicts, addresses that end; and what is left of a run."""

import hashlib
import signal
import subprocess

import pytest

from mirrors.answers import BATCH, LFS_JSON, STORAGE, answer, batch_of, first_pushed, transfer_of
from programs import HF2MS, until
from servers.git.repos import Lfs

SIDE = hashlib.sha256(b"of a branch" * 3000).hexdigest()


def waits(ran):
    return [event["wait"] for event in ran.events() if event["event"] == "retry"]


def of_object(name, method, oid=SIDE):
    """Requests for one object of a repo."""
    transfer = transfer_of(name, method)
    return lambda seen: transfer(seen) and seen.path.endswith(oid)


def held_back(ran, target, objects):
    """One object is not there, its branch neither, and everything else is."""
    assert ran.refs()["refs/heads/dev/x"] == "refused" and ran.refs()["refs/heads/main"] == "pushed"
    assert target.objects() == objects - {SIDE} and "refs/heads/dev/x" not in target.refs()


def ends_well(world, target, objects):
    """Once nothing goes wrong any more, the same command finishes."""
    world.host.rules.clear()
    world.mirror(target).ended(0)
    world.is_mirrored(target, objects)


# Waits


@pytest.mark.parametrize("part", [BATCH, STORAGE, "/git-receive-pack"])
def test_a_wait_that_a_host_asks_for_is_kept(history, part):
    world, objects = history
    target = world.target(hook=True)
    busy = answer("429 Too Many Requests", headers=[*LFS_JSON, ("Retry-After", "1")])
    world.host.rule(lambda seen: part in seen.path and seen.method != "GET", busy, times=1)
    ran = world.mirror(target).ended(0)
    assert max(waits(ran)) >= 1
    world.is_mirrored(target, objects)


def test_a_wait_beyond_the_budget_parks_one_object_and_the_others_go_on(history):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(of_object(target.name, "PUT"), answer("429 Too Many Requests", headers=[("Retry-After", "9000")]))
    ran = world.mirror(target, HF2MS_LONGEST_WAIT="2").ended(1, "9000 s")
    held_back(ran, target, objects)
    assert len([seen for seen in world.host.seen if of_object(target.name, "PUT")(seen)]) == 1
    ends_well(world, target, objects)


def test_a_wait_beyond_the_budget_before_any_byte_ends_it_at_once(history):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(batch_of(target.name), answer("503 Service Unavailable", headers=[*LFS_JSON, ("Retry-After", "9000")]))
    world.mirror(target, HF2MS_LONGEST_WAIT="2").ended(1, "9000 s")
    assert not world.host.transfers() and not first_pushed(world)
    ends_well(world, target, objects)


# Refusals


@pytest.mark.parametrize("status, words", [
    ("413 Request Entity Too Large", "413 Payload Too Large"), ("507 Insufficient Storage", "507 Insufficient Storage"), ("400 Bad Request", "400"), ("422 Unprocessable", "422"),
])
def test_an_upload_that_storage_refuses_costs_the_refs_that_lead_to_it_and_is_not_repeated(history, status, words):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(of_object(target.name, "PUT"), answer(status))
    ran = world.mirror(target).ended(1, words)
    held_back(ran, target, objects)
    assert len([seen for seen in world.host.seen if of_object(target.name, "PUT")(seen)]) == 1
    ends_well(world, target, objects)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"{}", b'{"message":"ok"}', b"[" * 100_000, b"\xff\xfe"])
def test_an_answer_that_is_none_moves_nothing(history, side, body):
    world, _ = history
    target = world.target(hook=True)
    of = {"source": world.source, "target": target}[side]
    world.host.rule(batch_of(of.name), answer("200 OK", body, [("Content-Type", "text/html")]))
    ran = world.run("-s", world.source.url, "-t", target.url)
    assert ran.code == 1 and not target.refs() and not target.objects(), ran.stdout + ran.stderr


def test_an_endless_refusal_is_shown_shortened(history):
    world, _ = history
    target = world.target()
    world.host.rule(batch_of(target.name), answer("422 Unprocessable", b"x" * (8 << 20), [("Content-Type", "text/plain")]))
    ran = world.run("-s", world.source.url, "-t", target.url)
    assert ran.code == 1 and len(ran.stdout + ran.stderr) < 4000, ran.stderr[:500]


@pytest.mark.parametrize("wrong", [{"size": 1}, {"size": -1}])
def test_an_object_of_another_size_is_refused(history, wrong):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(batch_of(target.name), change=lambda told: [entry.update(wrong) for entry in told["objects"] if entry["oid"] == SIDE])
    held_back(world.mirror(target).ended(1, "another size"), target, objects)
    ends_well(world, target, objects)


def test_another_hash_than_sha256_is_refused(history):
    world, _ = history
    target = world.target()
    world.host.rule(batch_of(target.name), change=lambda told: told.update(hash_algo="sha512"))
    world.mirror(target).ended(1, "another hash")
    assert not world.host.transfers() and not target.refs()


# Verdicts and addresses


@pytest.mark.parametrize("times, code", [(1, 0), (-1, 4)])
def test_an_upload_that_the_host_does_not_find_is_sent_again_a_few_times(history, times, code):
    world, objects = history
    target = world.target(hook=True)
    put = of_object(target.name, "PUT")
    world.host.rule(put, answer("200 OK"), times=times)
    ran = world.mirror(target).ended(code)
    assert 2 <= len([seen for seen in world.host.seen if put(seen)]) <= 8
    if code:
        held_back(ran, target, objects)
    ends_well(world, target, objects)


def test_an_upload_that_is_lost_where_nobody_verifies_holds_the_refs_back(history):
    world, objects = history
    target = world.target(hook=True)
    world.host.rule(of_object(target.name, "PUT"), answer("200 OK"))
    world.host.rule(batch_of(target.name), change=lambda told: [entry.get("actions", {}).pop("verify", None) for entry in told["objects"]])
    world.mirror(target).ended(1, "1 LFS objects are not at the target")
    assert not target.refs() and target.objects() == objects - {SIDE}
    ends_well(world, target, objects)


def test_an_address_that_ends_in_the_middle_of_an_object_is_asked_for_again(history):
    world, objects = history
    target = world.target(hook=True)
    get = of_object(world.source.name, "GET")
    half = (b"of a branch" * 3000)[:16_500]
    # Declared whole, sent in part; then the address is too old.
    world.host.rule(get, answer("200 OK", half, [("Content-Length", "33000")]), times=1)
    world.host.rule(get, answer("403 Forbidden"), times=1)
    world.mirror(target).ended(0)
    assert len([seen for seen in world.host.seen if get(seen)]) >= 3
    world.is_mirrored(target, objects)


def test_addresses_that_are_over_when_they_come_are_asked_for_again_and_again_no_longer_than_a_few_times(history):
    world, objects = history
    target = world.target(hook=True)

    def over(told):
        for entry in told["objects"]:
            for action in entry.get("actions", {}).values():
                action.update(expires_at="2001-01-01T00:00:00Z", expires_in=None)

    world.host.rule(batch_of(world.source.name), change=over)
    world.mirror(target).ended(0)
    assert len(world.host.asked("POST", f"{world.source.name}.git/info/lfs/objects/batch")) <= 40
    world.is_mirrored(target, objects)


@pytest.mark.parametrize("login", ["me:p%00", "m%0Ae:p", "me:p%0d%0aX-Evil%3A1"])
def test_a_login_with_signs_that_no_header_holds_is_refused_unseen(history, login):
    world, _ = history
    ran = world.run("-s", world.source.url, "-t", world.target().url.replace("http://", f"http://{login}@")).ended(2, "can't be used")
    assert "Evil" not in ran.stderr and not world.host.seen


def test_an_object_of_no_bytes_arrives(world):
    target, empty, other = world.target(hook=True), Lfs(b""), Lfs(b"some" * 100)
    world.source.commit("refs/heads/main", {"empty.bin": empty, "w.bin": other}).flush()
    world.mirror(target).ended(0)
    assert target.refs() == world.source.refs() and target.objects() == {empty.oid, other.oid}


# Tokens that end


@pytest.mark.parametrize("part", ["/info/refs", BATCH, "/git-receive-pack"])
def test_a_targets_login_that_is_revoked_after_the_objects_stops_it_at_once(history, part):
    world, objects = history
    target = world.target(hook=True)
    revoked = []

    def is_over(seen):
        stored = [other for other in world.host.transfers() if other.method == "PUT" and other.answered]
        return len(stored) == 3 and seen.path.startswith(f"/{target.name}") and part in seen.path

    world.host.rule(is_over, lambda seen: (revoked.append(seen), answer("401 Unauthorized")(seen))[1])
    world.mirror(target).ended(3, "does not take")
    assert 1 <= len(revoked) <= 3 and not target.refs(), "no storm"
    ends_well(world, target, objects)


# What is left of a run


def test_a_controller_killed_after_the_push_finds_it_done(history):
    world, objects = history
    target = world.target(hook=True)
    command = [str(HF2MS), "mirror", "-s", world.source.url, "-t", target.url]
    reached = []

    def hold(seen):
        """The last look, when all refs have been written."""
        if seen.path == f"/{target.name}.git/info/refs" and target.refs() == world.source.refs() and not reached:
            reached.append(seen)
            until(lambda: world.child.poll() is not None)
        return False

    world.host.rule(hold)
    world.child = subprocess.Popen(command, env=world.environment(), cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: reached)
    world.child.send_signal(signal.SIGKILL)
    assert world.child.wait() == -9
    world.host.rules.clear()
    world.host.seen.clear()
    ran = world.mirror(target).ended(0)
    assert not world.host.transfers() and not first_pushed(world) and set(ran.refs().values()) == {"unchanged"}
    world.is_mirrored(target, objects)


@pytest.mark.parametrize("name", ["report.json", "run.json", "plan.json", "journal.ndjson"])
def test_a_torn_file_of_the_last_run_costs_another_look_and_nothing_else(history, name):
    world, objects = history
    target = world.target(hook=True)
    world.mirror(target).ended(0)
    torn = next((world.folder / "state").rglob(name))
    torn.write_bytes(torn.read_bytes()[:-20])
    world.host.seen.clear()
    ran = world.mirror(target).ended(0)
    assert not world.host.transfers() and set(ran.refs().values()) == {"unchanged"}
    world.is_mirrored(target, objects)
