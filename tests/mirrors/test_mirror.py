"""`hf2ms mirror` between two repos of a real Git server with LFS, judged ref by ref and by the real clients."""

import pytest

from servers.git.host import ALICE, ODD, RITA
from servers.git.repos import Lfs, Repo, git


def test_branches_tags_history_and_every_lfs_object_arrive(history):
    world, objects = history
    target = world.target(hook=True)
    ran = world.mirror(target).ended(0)
    world.is_mirrored(target, objects)
    report = ran.report()
    assert (report["pointers"], report["moved"]) == (3, 3)
    assert all(asked["ref"] == {"name": "refs/heads/main"} for asked in world.host.batches)
    assert ran.refs() == {name: "pushed" for name in world.source.refs()}


def test_lfs_objects_are_there_before_the_refs_that_name_them(history):
    world, _ = history
    world.mirror(world.target(hook=True)).ended(0)
    pushed = next(n for n, seen in enumerate(world.host.seen) if seen.path.endswith("/git-receive-pack"))
    stored = {n: seen.path for n, seen in enumerate(world.host.seen) if seen.method == "PUT"}
    assert len(set(stored.values())) == 3 and max(stored) < pushed


def test_a_second_run_asks_both_sides_once_and_moves_nothing(history):
    world, _ = history
    target = world.target()
    world.mirror(target).ended(0)
    world.host.seen.clear()
    ran = world.mirror(target).ended(0)
    assert len(world.host.seen) == 2 and not world.host.transfers()
    assert set(ran.refs().values()) == {"unchanged"}


def test_a_second_run_without_its_state_finds_the_same_and_moves_nothing(history, tmp_path):
    world, _ = history
    target = world.target()
    world.mirror(target).ended(0)
    world.host.seen.clear()
    ran = world.mirror(target, HF2MS_STATE=str(tmp_path / "other")).ended(0)
    assert not world.host.transfers() and set(ran.refs().values()) == {"unchanged"}


def test_only_new_refs_and_objects_move(history):
    world, objects = history
    target = world.target(hook=True)
    world.mirror(target).ended(0)
    new = Lfs(b"third weights" * 100)
    world.source.commit("refs/heads/main", {"w.bin": new}, "third", parent="refs/heads/main").flush()
    world.host.seen.clear()
    ran = world.mirror(target).ended(0)
    assert ran.report()["moved"] == 1
    assert [name for name, state in ran.refs().items() if state == "pushed"] == ["refs/heads/main"]
    world.is_mirrored(target, objects | {new.oid})


def test_rewritten_branches_are_forced_and_others_of_the_target_stay(history):
    world, objects = history
    target = world.target()
    world.mirror(target).ended(0)
    target.ref("refs/heads/theirs", "refs/heads/main~1")
    git(world.source.path, "update-ref", "refs/heads/main", "refs/heads/main~1")
    world.mirror(target).ended(0)
    assert target.refs()["refs/heads/main"] == world.source.refs()["refs/heads/main"]
    assert "refs/heads/theirs" in target.refs()


def test_no_force_leaves_alone_what_would_be_lost(history):
    world, _ = history
    target = world.target()
    world.mirror(target).ended(0)
    stood = target.refs()
    world.source.commit("refs/heads/new", {"a": b"a"}, parent="refs/heads/main").flush()
    git(world.source.path, "update-ref", "refs/heads/main", "refs/heads/main~1")
    ran = world.mirror(target, "--no-force").ended(1)
    assert ran.refs()["refs/heads/main"] == "refused" and ran.refs()["refs/heads/new"] == "pushed"
    assert target.refs()["refs/heads/main"] == stood["refs/heads/main"]


def test_a_target_of_another_history_is_refused_without_force(history):
    world, _ = history
    target = world.target()
    target.commit("refs/heads/main", {"other": b"other"}).flush()
    stood = target.refs()
    world.mirror(target, "--no-force").ended(3, "nothing in common")
    assert target.refs() == stood and not world.host.transfers()


def test_mirror_has_all_refs_and_deletes_what_the_source_lacks(history):
    world, objects = history
    target = world.target()
    world.source.ref("refs/notes/x", "refs/heads/main")
    target.commit("refs/heads/theirs", {"other": b"other"}).flush()
    ran = world.mirror(target, "--mirror", "--allow-unrelated").ended(0)
    assert target.refs() == world.source.refs() and ran.refs()["refs/heads/theirs"] == "deleted"
    world.is_mirrored(target, objects, world.source.refs())


def test_what_gitlab_refuses_of_a_mirror_falls_back_to_branches_and_tags(history):
    world, objects = history
    target = world.target(hook=True).config("receive.denyDeleteCurrent", "refuse")
    target.config("receive.hideRefs", "refs/keep-around")
    target.commit("refs/heads/trunk", {"x": b"x"}).flush()
    git(target.path, "symbolic-ref", "HEAD", "refs/heads/trunk")
    world.source.ref("refs/pr/1", "refs/heads/main").ref("refs/keep-around/1", "refs/heads/main")
    ran = world.mirror(target, "--mirror", "--allow-unrelated").ended(0)
    states = ran.refs()
    assert {states[ref] for ref in ("refs/heads/main", "refs/heads/dev/x", "refs/tags/v1", "refs/tags/v2")} == {"pushed"}
    assert {states[ref] for ref in ("refs/pr/1", "refs/keep-around/1", "refs/heads/trunk")} == {"refused"}
    why = {ref["name"]: ref.get("why", "") for ref in ran.report()["refs"]}
    assert "only push to branches and tags" in why["refs/pr/1"] and "hidden" in why["refs/keep-around/1"]
    assert "current branch" in why["refs/heads/trunk"]
    world.clone(target)


def test_a_protected_branch_costs_only_itself(history):
    world, _ = history
    target = world.target(hook=True)
    world.mirror(target).ended(0)
    target.config("forge.protected", "main")
    git(world.source.path, "update-ref", "refs/heads/main", "refs/heads/main~1")
    world.source.commit("refs/heads/new", {"a": b"a"}, parent="refs/heads/dev/x").flush()
    world.source.tag("v3", "dev/x")
    ran = world.mirror(target).ended(1, "not allowed to force push")
    assert ran.refs()["refs/heads/main"] == "refused"
    assert ran.refs()["refs/heads/new"] == ran.refs()["refs/tags/v3"] == "pushed"


def test_a_dry_run_says_what_would_move_and_changes_nothing(history):
    world, _ = history
    target = world.target()
    ran = world.mirror(target, "--dry-run").ended(0)
    planned = ran.events()[-1]
    assert len(planned["updates"]) == 4 and len(planned["scan"]["missing"]) == 3
    assert not target.refs() and not target.objects() and not (world.folder / "state").exists()
    words = world.run("-s", world.source.url, "-t", target.url, "--dry-run").ended(0)
    assert "3 of 3 LFS objects would move" in words.stdout and "new       refs/heads/main" in words.stdout


def test_a_check_compares_every_ref_and_asks_for_each_lfs_object(history):
    world, _ = history
    target = world.target()
    world.mirror(target).ended(0)
    checked = world.mirror(target, "--check").ended(0).events()[-1]
    assert (checked["event"], checked["refs"], checked["lfs_objects"]) == ("mirror_checked", 4, 3)
    words = world.run("-s", world.source.url, "-t", target.url, "--check").ended(0)
    assert words.stdout.endswith("equal: 4 refs on both sides, and 3 LFS objects, each asked for\n")
    lost = sorted(target.objects())[0]
    (world.host.store / target.name / lost).unlink()
    world.source.commit("refs/heads/new", {"a": b"a"}, parent="refs/heads/dev/x").flush()
    before = target.refs()
    checked = world.mirror(target, "--check").ended(1).events()[-1]
    assert [update["name"] for update in checked["updates"]] == ["refs/heads/new"]
    assert [file["sha256"] for file in checked["lacking"]] == [lost]
    assert target.refs() == before and lost not in target.objects()


def test_a_list_of_mirrors_is_checked_in_one_run(history):
    world, _ = history
    target = world.target()
    world.mirror(target).ended(0)
    absent = target.url.replace("/model", "/absent")
    (world.folder / "mirrors").write_text(f"{world.source.url} {target.url}\n{world.source.url} {absent}  # not there\n")
    ran = world.run("--check", "--file", "mirrors", "--json").ended(3)
    rows = ran.events()[-1]["repos"]
    assert [(row["state"], row["exit"]) for row in rows] == [("equal", 0), ("failed", 3)]
    assert rows[0]["revisions"] == {"done": 4, "of": 4} and rows[0]["files"] == 3
    lost = sorted(target.objects())[0]
    (world.host.store / target.name / lost).unlink()
    (world.folder / "mirrors").write_text(f"{world.source.url} {target.url}\n")
    shown = world.run("--check", "--file", "mirrors").ended(1).stdout
    assert f"\n{world.source.url}:\n" in shown and "1 LFS object lacking" in shown and "1 repo: 1 not equal; 4 of 4 revisions, 3 files, " in shown
    (world.folder / "mirrors").write_text(f"{world.source.url}\n")
    world.run("--check", "--file", "mirrors").ended(2, "mirrors:1: a mirror has a source and a target")


def test_a_repo_without_lfs_and_an_empty_one(world):
    target = world.target()
    world.mirror(target).ended(0)
    assert not target.refs()
    world.source.commit("refs/heads/main", {"a.txt": b"a"}).flush()
    world.host.lfs_off |= {world.source.name, target.name}
    world.mirror(target).ended(0)
    assert target.refs() == world.source.refs()


def test_credentials_in_an_address_are_taken_and_never_shown(history):
    world, objects = history
    target = world.target()
    user, password = "odd%40%C3%BC", "p%40ss%2Fw%3Frd%23%2541%20%C3%BC:canary"
    urls = [repo.url.replace("http://", f"http://{user}:{password}@") for repo in (world.source, target)]
    ran = world.run("-s", urls[0], "-t", urls[1], SOURCE_TOKEN=None, TARGET_TOKEN=None).ended(0)
    assert ODD[1] not in ran.stdout + ran.stderr
    world.is_mirrored(target, objects)


def test_each_sides_login_goes_to_that_side_only(history):
    world, _ = history
    target = Repo(world.host, world.target().name)
    elsewhere = target.url.replace(world.host.url, world.host.other)
    world.run("-s", world.source.url, "-t", elsewhere, SOURCE_USERNAME=RITA[0], SOURCE_TOKEN=RITA[1]).ended(0)
    import base64

    logins = {port: set() for port in (server.server_port for server in world.host.servers)}
    for seen in world.host.seen:
        if seen.authorization.startswith("Basic "):
            logins[seen.port].add(base64.b64decode(seen.authorization[6:]).decode().split(":")[0])
    assert list(logins.values()) == [{RITA[0]}, {ALICE[0]}]


@pytest.mark.parametrize("flags", [["--containers", "2"], ["--chunk-size", "0.00001"]])
def test_several_workers_share_the_objects(history, flags):
    world, objects = history
    target = world.target(hook=True)
    world.mirror(target, *flags).ended(0)
    world.is_mirrored(target, objects)
