"""What the sandbox's ModelScope says to a reader is what the real hub was recorded to say, and each switch gives the other form."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

ID = "alice/recorded"
TEXT = "0123456789" * 20


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


class Heard:
    def __init__(self, answer):
        self.status, self.headers = answer.status, answer.headers
        try:
            self.body = answer.read()
        except http.client.IncompleteRead as cut:
            self.body = cut.partial

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture
def ask(sandbox):
    """Asks ModelScope, as alice unless another token is given."""

    def ask(path, method="GET", token=sandbox.ms_alice, agent="a test", **headers):
        headers = {"User-Agent": agent, **headers} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            return Heard(OPENER.open(urllib.request.Request(sandbox.ms + path, method=method, headers=headers)))
        except urllib.error.HTTPError as refusal:
            return Heard(refusal)

    return ask


@pytest.fixture
def seeded(sandbox):
    """A model, a dataset and a studio of two commits: the ids of both, by kind."""
    commits = {}
    for kind in ("model", "dataset", "space"):
        files = [{"path": "d/a.txt", "text": TEXT}, {"path": "w.bin", "size": 100_000, "seed": 1, "lfs": True},
                 {"path": "lost.txt", "text": "lost of " + kind, "missing": True}]
        first = sandbox.seed("ms", kind, ID, *files)
        commits[kind] = (first, sandbox.seed("ms", kind, ID, {"path": "new.txt", "text": "n"}))
    return commits


def files(kind, **query):
    route = {"model": "models", "dataset": "datasets", "space": "studio"}[kind]
    return f"/api/v1/{route}/{ID}/repo/{'tree' if kind == 'dataset' else 'files'}?{urllib.parse.urlencode(query)}"


def file(path, kind="models", **query):
    return f"/api/v1/{kind}/{ID}/repo?{urllib.parse.urlencode({'Revision': 'master', 'FilePath': path} | query)}"


def test_git_is_for_those_who_say_git(sandbox, ask, seeded):
    refs = f"/models/{ID}.git/info/refs?service=git-upload-pack"
    shut = ask(refs)
    assert (shut.status, shut.json) == (421, {"message": "mirror self-forwarded loop detected"})
    assert ask(refs, agent="git/2.43.0 (any)").status == 200
    sandbox.post("/settings", ms_git_agent=False)
    assert ask(refs).status == 200


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_listing_names_no_commit_and_an_unknown_revision_has_no_list(sandbox, ask, seeded, kind):
    first, head = seeded[kind]
    data = ask(files(kind, Recursive="True")).json["Data"]
    assert (data["LatestCommitter"]["Id"], data["LatestCommitter"]["ShortId"]) == ("", head[:8])
    entries = {entry["Path"]: entry for entry in data["Files"]}
    assert (entries["d/a.txt"]["Revision"], entries["new.txt"]["Revision"], entries["new.txt"]["Mode"]) == (first, head, "33188")
    assert all(entry["Sha256"] for entry in entries.values() if entry["Type"] == "blob")
    unknown = ask(files(kind, Revision="v9"))
    assert (unknown.status, unknown.json["Code"], unknown.json["Data"]["Files"]) == (200, 200, None)
    sandbox.post("/settings", ms_commit_id=True, ms_revision_404=True, ms_sha256=False)
    data = ask(files(kind, Recursive="True")).json["Data"]
    assert data["LatestCommitter"]["Id"] == head and not any("Sha256" in entry for entry in data["Files"] if entry["Type"] == "blob")
    unknown = ask(files(kind, Revision="v9"))
    assert (unknown.status, unknown.json["Code"]) == (404, 10990101004)


def test_commits_are_told_of_models(sandbox, ask, seeded):
    def told(route, ref):
        return ask(f"/api/v1/{route}/{ID}/commits?Ref={ref}&PageNumber=1&PageSize=1")

    assert told("models", "master").json["Data"]["Commit"][0]["Id"] == seeded["model"][1]
    assert told("models", "v9").json["Data"] == {"Commit": None, "TotalCount": 0}
    assert [told(route, "master").status for route in ("datasets", "studio")] == [404, 404]
    sandbox.post("/settings", ms_commits="all")
    assert [told(route, "master").status for route in ("datasets", "studio")] == [200, 200]
    sandbox.post("/settings", ms_commits="none")
    assert told("models", "master").status == 404


def test_pages_of_datasets_and_the_letter_of_models(sandbox, ask):
    for kind in ("model", "dataset"):
        sandbox.seed("ms", kind, "alice/paged", generate={"count": 250, "folders": 1, "size": 1})

    def listed(kind, **query):
        return ask(files(kind, **query).replace(ID, "alice/paged")).json["Data"]

    assert len(listed("dataset", Recursive="True")["Files"]) == 100
    whole = listed("dataset", recursive="true", PageSize=5000)
    assert len(whole["Files"]) == whole["TotalCount"] == 251
    assert (len(listed("model", Recursive="true")["Files"]), len(listed("model", recursive="True")["Files"])) == (251, 1)
    sandbox.post("/settings", ms_page=200)
    assert len(listed("dataset", Recursive="True", PageSize=5000)["Files"]) == 200


def test_ranges_of_what_the_hub_gives_itself(sandbox, ask, seeded):
    part = ask(file("d/a.txt"), Range="bytes=10-19")
    assert (part.status, part.headers["Content-Range"], part.headers["Content-Length"]) == (200, "bytes 10-19/200", "10")
    assert part.body.decode() == TEXT[10:20]
    assert ask(file("d/a.txt"), Range="bytes=20-").headers["Content-Length"] == "20", "and 180 bytes follow"
    assert ask(file("d/a.txt"), Range="bytes=-5").status == 400
    resolved = ask(f"/models/{ID}/resolve/master/w.bin", Range="bytes=0-1023")
    assert (resolved.status, resolved.headers["Content-Range"], len(resolved.body)) == (200, "bytes 0-1023/100000", 1024)
    assert ask(file("w.bin"), Range="bytes=0-1023").status == 302 and ask(file("w.bin"), method="HEAD").status == 200
    sandbox.post("/settings", ms_range_206=True)
    assert [ask(file("d/a.txt"), Range=f"bytes={asked}").status for asked in ("10-19", "20-", "-5")] == [206, 206, 206]


@pytest.mark.parametrize("path", ["absent.txt", "lost.txt"])
def test_a_file_that_is_absent_or_lost_is_json(sandbox, ask, seeded, path):
    lost = ask(file(path))
    assert (lost.status, lost.json["Code"], lost.json["Success"]) == (200, 10990101007, False) and len(lost.body) < 200
    assert ask(file(path), method="HEAD").status == 404
    sandbox.post("/settings", ms_file_404=True)
    assert (ask(file(path)).status, ask(file(path)).json["Code"]) == (404, 10990101007)


def test_who_may_not_read_is_told_404(sandbox, ask, seeded):
    about = f"/api/v1/models/{ID}"
    assert (ask("/api/v1/models/alice/none").status, ask("/api/v1/models/alice/none").json["Code"]) == (404, 10010205001)
    sandbox.post("/repo", hub="ms", kind="model", id=ID, gated=True)
    assert ask(about, token=sandbox.ms_bob).status == 200 and ask(file("d/a.txt"), token=sandbox.ms_bob).json["Code"] == 10010200001
    sandbox.post("/repo", hub="ms", kind="model", id=ID, gated=False, private=True)
    hidden = ask(about, token=None)
    assert (hidden.status, hidden.json["Code"]) == (404, 10010200001)
    sandbox.post("/repo", hub="ms", kind="model", id=ID, private=False)


def test_studios_have_two_routes(sandbox, ask, seeded):
    def statuses():
        return [ask(files("space").replace("/studio/", f"/{route}/")).status for route in ("studio", "studios")]

    assert statuses() == [200, 200] and ask(file("d/a.txt", "studio")).body.decode() == TEXT
    sandbox.post("/settings", ms_studio_files="singular")
    assert statuses() == [200, 404]
    sandbox.post("/settings", ms_studio_files="plural")
    assert statuses() == [404, 200]


def test_old_datasets_keep_their_data_beside_the_repo(sandbox, ask):
    sandbox.seed("ms", "dataset", "alice/oss", oss=[{"path": "model.zip", "text": "zip"}])
    [entry] = ask("/api/v1/datasets/alice/oss/oss/tree").json["Data"]
    assert (entry["Key"], entry["Size"]) == ("model.zip", 3)
    with urllib.request.urlopen(entry["Url"]) as answer:
        assert answer.read() == b"zip"
    assert not ask(files("dataset").replace(ID, "alice/oss")).json["Data"]["Files"]
