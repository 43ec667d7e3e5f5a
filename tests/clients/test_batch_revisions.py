"""`hf2ms batch --revisions-of`: the branches and tags that one official client makes, the other one sees."""

from huggingface_hub import HfApi
from modelscope_hub import HubApi

from clients.copies import make_files, read_files, up_to_hugging_face


def test_each_branch_and_tag_of_the_repos_that_match_arrives_and_no_other(sandbox, program, tmp_path):
    source, copies = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice), HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    tool, base, data = "alice/revisions-tool", "alice/revisions-base", "alice/revisions-data"
    for id, kind in ((tool, "model"), (base, "model"), (data, "dataset")):
        up_to_hugging_face(sandbox, make_files(tmp_path / id, {"README.md": "# one\n", "a.safetensors": 300_000}), id, kind)
        source.create_tag(id, tag="v1", repo_type=kind)
        source.create_branch(id, branch="dev", repo_type=kind)
        source.upload_file(repo_id=id, repo_type=kind, path_or_fileobj=b"dev", path_in_repo="dev.txt", revision="dev")
    done = program("batch", tool, base, f"datasets/{data}", "--revisions-of", "alice/*-tool", "--revisions-of", data)
    assert done.returncode == 0, done.stdout + done.stderr
    for id, kind, matches in ((tool, "model", True), (base, "model", False), (data, "dataset", True)):
        refs = source.list_repo_refs(id, repo_type=kind)
        named = {ref.name for ref in (*refs.branches, *refs.tags)} - {"main"}
        there = {revision["Revision"] for revision in copies.list_repo_revisions(id, kind)} - {"master"}
        assert there == (named if matches else set()), id
    for revision, has in (("v1", False), ("dev", True), ("master", False)):
        copies.download_repo(tool, "model", revision=revision, local_dir=tmp_path / revision)
        came = read_files(tmp_path / revision)
        assert came["a.safetensors"] == (tmp_path / tool / "a.safetensors").read_bytes() and ("dev.txt" in came) == has
