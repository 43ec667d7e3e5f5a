"""Mirrors on Modal, attended or not, through the real binary, its bridge and the official SDK, on a Modal on loopback that really
runs the functions; judged by the real clients."""

import base64
import subprocess
import threading

import pytest

from mirrors.cloud import STALL, Cloud
from mirrors.world import CANARY
from programs import HF2MS, STATIC, until
from servers.git.host import ALICE
from servers.git.repos import Lfs, git

pytestmark = pytest.mark.skipif(not STATIC.is_file(), reason="needs the static worker")


@pytest.fixture
def cloud(world):
    started = Cloud(world)
    yield started
    started.close()


class Gate:
    """Holds every download of the source back until it is opened."""

    def __init__(self, world):
        self.part = f"/{world.source.name}.git/info/lfs/objects/storage/"
        self.opened, self.waiting = threading.Event(), 0
        world.host.rule(self.holds)

    def holds(self, seen):
        if seen.method == "GET" and self.part in seen.path:
            self.waiting += 1
            self.opened.wait(STALL)
        return False

    def open(self):
        self.opened.set()


@pytest.fixture
def gate(history):
    world, _ = history
    gate = Gate(world)
    yield gate
    gate.open()


def pushes(world):
    return [seen for seen in world.host.seen if seen.path.endswith("/git-receive-pack")]


def detach(cloud, target, *more):
    ran = cloud.mirror(target, "--detach", *more).ended(0)
    [submitted] = [event for event in ran.events() if event["event"] == "submitted"]
    return submitted["run"]


def test_an_attended_mirror_is_one_call_and_shows_how_far_it_is(history, cloud):
    world, objects = history
    target = world.target(hook=True)
    ran = cloud.mirror(target).ended(0)
    report = ran.report()
    assert (report["moved"], report["lost_workers"], ran.refs()) == (3, 0, dict.fromkeys(world.source.refs(), "pushed"))
    assert [event["lacking"] for event in ran.events() if event["event"] == "scanned"] == [3]
    assert len(cloud.calls("mirror")) == 1 and len(cloud.calls("run_chunk")) >= 2
    world.is_mirrored(target, objects)


def test_the_terminal_goes_away_and_another_has_the_report(history, cloud, gate):
    world, objects = history
    target = world.target(hook=True)
    run = detach(cloud, target)
    until(lambda: gate.waiting)
    status = cloud.from_elsewhere("status", run).ended(0).events()[-1]
    assert (status["record"]["state"], status["record"]["verb"], status["cloud"]["finished"]) == ("detached", "mirror", False)
    assert status["cloud"]["submitted"] >= 2 and not target.refs()
    gate.open()
    cloud.until_quiet()
    world.is_mirrored(target, objects)
    ran = cloud.from_elsewhere("attach", run).ended(0)
    assert (ran.report()["moved"], ran.refs()) == (3, dict.fromkeys(world.source.refs(), "pushed"))
    listed = cloud.hf2ms("runs", "--json").events()[0]
    assert (listed["state"], listed["files"]) == ("done", 3)
    said = cloud.from_elsewhere("logs", run).ended(0).events()
    assert {"started", "scanned", "planned", "pushed", "ended"} <= {line.get("said", {}).get("event") for line in said}
    again = cloud.from_elsewhere("attach", run).ended(0).report()
    assert again | {"time": None} == ran.report() | {"time": None}, "again, from its folder"


def test_a_terminal_that_is_killed_is_not_needed(history, cloud, gate):
    world, objects = history
    target = world.target(hook=True)
    command = [str(HF2MS), "mirror", *cloud.flags(target)]
    child = subprocess.Popen(command, env=world.environment(**cloud.env), cwd=world.folder, stdout=subprocess.DEVNULL)
    until(lambda: gate.waiting)
    child.kill()
    child.wait()
    gate.open()
    assert cloud.from_elsewhere("attach").ended(0).report()["moved"] == 3
    assert len(cloud.calls("mirror")) == 1, "nothing is submitted twice"
    world.is_mirrored(target, objects)


def test_a_second_run_with_nothing_new_asks_both_sides_once_and_submits_nothing(history, cloud):
    world, _ = history
    target = world.target()
    detach(cloud, target)
    cloud.until_quiet()
    cloud.from_elsewhere("attach").ended(0)
    world.host.seen.clear()
    ran = cloud.mirror(target, "--detach").ended(0)
    assert len(world.host.seen) == 2 and len(cloud.calls("mirror")) == 1
    assert set(ran.refs().values()) == {"unchanged"}


def test_the_same_command_waits_for_the_one_in_the_cloud_and_another_is_told_of_it(history, cloud, gate):
    world, objects = history
    target = world.target()
    run = detach(cloud, target)
    cloud.mirror(target, "--detach").ended(1, f"hf2ms attach {run}")
    gate.open()
    ran = cloud.mirror(target).ended(0)
    assert ran.report()["run"] == run and len(cloud.calls("mirror")) == 1
    world.is_mirrored(target, objects)


def test_stop_cancels_every_call_and_the_same_command_goes_on(history, cloud, gate):
    world, objects = history
    target = world.target()
    run = detach(cloud, target)
    until(lambda: gate.waiting and cloud.states("run_chunk").count("running") == 2)
    assert cloud.from_elsewhere("stop", run).ended(0).events()[-1]["state"] == "interrupted"
    gate.open()
    cloud.until_quiet()
    assert cloud.states("mirror") == ["cancelled"] and set(cloud.states("run_chunk")) == {"cancelled"}
    assert not target.refs()
    cloud.mirror(target).ended(0)
    world.is_mirrored(target, objects)


def test_stop_ends_the_calls_of_one_that_hears_nothing(history, cloud, gate):
    world, _ = history
    target = world.target()
    run = detach(cloud, target)
    until(lambda: gate.waiting and cloud.states("run_chunk").count("running") == 2)
    # Its machine is gone, and nobody has noticed: only Modal knows which calls it made.
    cloud.act("freeze", call=cloud.calls("mirror")[0]["call"])
    cloud.from_elsewhere("stop", run).ended(0)
    cloud.until_quiet()
    assert cloud.states("mirror") == ["cancelled"] and set(cloud.states("run_chunk")) == {"cancelled"}


def test_ctrl_c_ends_it_everywhere(history, cloud, gate):
    world, _ = history
    target = world.target()
    command = [str(HF2MS), "mirror", *cloud.flags(target)]
    child = subprocess.Popen(command, env=world.environment(**cloud.env), cwd=world.folder, stdout=subprocess.DEVNULL)
    until(lambda: gate.waiting and cloud.states("run_chunk").count("running") == 2)
    child.send_signal(2)
    assert child.wait() == 130
    gate.open()
    cloud.until_quiet()
    assert cloud.states("mirror") == ["cancelled"] and set(cloud.states("run_chunk")) == {"cancelled"}
    assert cloud.from_elsewhere("status").events()[-1]["record"]["state"] == "interrupted"


@pytest.mark.parametrize("line", ['"scanned"', '"pushed"'])
def test_a_killed_coordinator_begins_again_and_finishes(history, cloud, line):
    world, objects = history
    target = world.target(hook=True)
    cloud.fault("kill", function="mirror", line=line)
    ran = cloud.mirror(target).ended(0)
    assert cloud.calls("mirror")[0]["deliveries"] == 2
    assert set(ran.refs().values()) <= {"pushed", "unchanged"} and len(ran.refs()) == 4
    world.is_mirrored(target, objects)


def test_a_coordinator_killed_among_its_chunks_waits_for_them_and_nothing_is_sent_twice(history, cloud, gate):
    world, objects = history
    target = world.target(hook=True)
    run = detach(cloud, target)
    until(lambda: gate.waiting and len(cloud.calls("run_chunk")) >= 2)
    submitted = len(cloud.calls("run_chunk"))
    cloud.act("kill", call=cloud.calls("mirror")[0]["call"])
    until(lambda: cloud.calls("mirror")[0]["deliveries"] == 2)
    gate.open()
    ran = cloud.from_elsewhere("attach", run).ended(0)
    assert ran.report()["moved"] == 3 and len(cloud.calls("run_chunk")) == submitted
    assert len([seen for seen in world.host.transfers() if seen.method == "PUT"]) == 3
    world.is_mirrored(target, objects)


def test_a_worker_that_dies_of_a_chunk_is_replaced(history, cloud):
    world, objects = history
    target = world.target()
    cloud.fault("kill", function="run_chunk", line='"started"')
    cloud.mirror(target).ended(0)
    assert any(call["deliveries"] == 2 for call in cloud.calls("run_chunk"))
    world.is_mirrored(target, objects)


def test_a_lost_object_holds_back_the_refs_that_lead_to_it_and_no_other(world, cloud):
    kept, gone = Lfs(b"kept" * 5000), Lfs(b"gone" * 5000, stored=False)
    world.source.commit("refs/heads/main", {".gitattributes": b"*.bin filter=lfs\n", "w.bin": kept}).flush()
    world.source.commit("refs/heads/broken", {"gone.bin": gone}, parent="refs/heads/main").flush()
    target = world.target()
    detach(cloud, target)
    ran = cloud.from_elsewhere("attach").ended(1)
    assert ran.refs() == {"refs/heads/main": "pushed", "refs/heads/broken": "refused"}
    [failed] = ran.report()["failed"]
    assert failed["path"] == "gone.bin" and target.objects() == {kept.oid}
    assert target.refs() == {"refs/heads/main": world.source.refs()["refs/heads/main"]}


def test_a_ref_that_moved_on_at_the_source_stays_for_the_next_run(history, cloud, gate):
    world, _ = history
    target = world.target()
    run = detach(cloud, target)
    until(lambda: gate.waiting)
    git(world.source.path, "update-ref", "refs/heads/main", "refs/heads/main~1")
    git(world.source.path, "update-ref", "-d", "refs/tags/v2")
    git(world.source.path, "reflog", "expire", "--expire=now", "--all")
    git(world.source.path, "gc", "--quiet", "--prune=now")
    gate.open()
    ran = cloud.from_elsewhere("attach", run).ended(1, "moved on at the source")
    assert ran.refs()["refs/heads/main"] == "refused" and ran.refs()["refs/heads/dev/x"] == "pushed"
    cloud.mirror(target).ended(0)
    assert target.refs()["refs/heads/main"] == world.source.refs()["refs/heads/main"]


def test_a_target_that_moved_on_meanwhile_is_not_taken_back_without_force(history, cloud, gate):
    world, _ = history
    target = world.target()
    base = world.source.refs()["refs/heads/dev/x"]
    # Both sides begin with the same branch, so that they are related.
    subprocess.run(["git", "-C", str(target.path), "fetch", "--quiet", str(world.source.path), "dev/x:dev/x"], check=True)
    run = detach(cloud, target, "--no-force")
    until(lambda: gate.waiting)
    target.commit("refs/heads/main", {"theirs": b"theirs"}, parent="refs/heads/dev/x").flush()
    theirs = target.refs()["refs/heads/main"]
    gate.open()
    ran = cloud.from_elsewhere("attach", run).ended(1)
    assert ran.refs()["refs/heads/main"] == "refused" and target.refs()["refs/heads/main"] == theirs
    assert target.refs()["refs/heads/dev/x"] == base and ran.refs()["refs/tags/v2"] == "pushed"


@pytest.mark.parametrize("flags", [[], ["--no-force"]])
def test_a_target_of_another_history_is_refused_before_anything_moves(history, cloud, flags):
    world, _ = history
    target = world.target()
    target.commit("refs/heads/main", {"other": b"other"}).flush()
    stood = target.refs()
    run = detach(cloud, target, *flags)
    cloud.from_elsewhere("attach", run).ended(3, "nothing in common")
    assert target.refs() == stood and not world.host.transfers() and not cloud.calls("run_chunk")
    assert cloud.hf2ms("runs", "--json").events()[0]["state"] == "failed"


def test_a_login_that_is_revoked_half_way_ends_it_and_pushes_nothing(history, cloud, gate):
    world, _ = history
    target = world.target()
    run = detach(cloud, target)
    until(lambda: gate.waiting)
    world.host.rule(lambda seen: target.name in seen.path and "/storage/" not in seen.path, lambda seen: ("401 Unauthorized", [], b""))
    gate.open()
    cloud.from_elsewhere("attach", run).ended(3)
    cloud.until_quiet()
    assert not target.refs()


def test_a_source_that_refuses_its_objects_ends_it_and_not_even_other_refs_are_pushed(history, cloud):
    world, _ = history
    world.source.commit("refs/heads/plain", {"a.txt": b"a"}).flush()
    batch = f"/{world.source.name}.git/info/lfs/objects/batch"
    world.host.rule(lambda seen: seen.path == batch, lambda seen: ("401 Unauthorized", [], b""))
    target = world.target()
    run = detach(cloud, target)
    cloud.from_elsewhere("attach", run).ended(3)
    assert not target.refs() and not pushes(world)


def test_results_that_are_gone_say_what_to_do(history, cloud):
    world, _ = history
    target = world.target()
    run = detach(cloud, target)
    cloud.until_quiet()
    cloud.act("expire", call=cloud.calls("mirror")[0]["call"])
    cloud.from_elsewhere("attach", run).ended(1, "run the same command again")
    ran = cloud.mirror(target).ended(0)
    assert set(ran.refs().values()) == {"unchanged"} and ran.report()["moved"] == 0


def test_logins_are_in_the_secret_and_nowhere_else(history, cloud):
    world, _ = history
    run = detach(cloud, world.target())
    cloud.until_quiet()
    asked = str(cloud.ask("GET", "/requests"))
    basic = base64.b64encode(":".join(ALICE).encode()).decode()
    assert CANARY not in asked and basic not in asked
    cloud.from_elsewhere("logs", run).ended(0)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--on", "local", "--detach"], "--detach needs --on modal"),
        (["--on", "docker", "--detach"], "--detach needs --on modal"),
        (["--on", "modal", "--detach", "--watch", "15m"], "--watch needs this process to the end"),
        (["--on", "modal", "--detach", "--dry-run"], "--dry-run needs this process to the end"),
    ],
)
def test_what_can_not_be_detached_is_said_in_one_line(history, flags, words):
    world, _ = history
    ran = world.run("-s", world.source.url, "-t", world.target().url, *flags).ended(2, words)
    assert len(ran.stderr.splitlines()) == 1 and not world.host.seen
