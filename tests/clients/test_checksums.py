"""Files of checksums that `hf2ms verify` writes and reads, held against `sha256sum` and what the official clients download."""

import shutil
import subprocess

import pytest

from clients.copies import TREE, from_hugging_face, from_modelscope, make_files, up_to_hugging_face

# Names that look like a part of sha256sum's own line. What it escapes no client uploads: a unit test of hf2ms has that.
ODD = {"*star.txt": "star", "two  spaces.txt": "spaces", "-dash.txt": "dash", "größe ) = x.txt": "size"}

pytestmark = pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")


def sha256sum(folder, *args):
    return subprocess.run(["sha256sum", *args], cwd=folder, capture_output=True, text=True)


def test_sha256sum_checks_a_download_from_either_side(sandbox, program, hf2ms, tmp_path):
    id = "alice/checksums"
    up_to_hugging_face(sandbox, make_files(tmp_path / "up", TREE), id, "model")
    hf2ms(f"hf:{id}")
    verified = program("verify", id, "--deep", "--checksums", "sums")
    assert verified.returncode == 0, verified.stderr
    for side, download in (("hf", from_hugging_face), ("ms", from_modelscope)):
        folder = tmp_path / side
        # The copy's card may have another license, and its checksum is that of the copy.
        came = download(sandbox, id, "model", folder)
        assert set(TREE) <= set(came)
        checked = sha256sum(folder, "--strict", "-c", "../sums")
        assert checked.stdout.count(": OK") >= len(TREE) and checked.returncode == 0, checked.stdout + checked.stderr
    (tmp_path / "ms/config.json").write_text("changed")
    assert sha256sum(tmp_path / "ms", "-c", "../sums").returncode == 1


def test_odd_names_are_read_as_sha256sum_reads_them(sandbox, program, hf2ms, tmp_path):
    id = "alice/odd-names"
    up_to_hugging_face(sandbox, make_files(tmp_path / "up", ODD), id, "dataset")
    hf2ms(f"hf:{id}", "--repo-type", "dataset", "--to", "hf", "--dest", f"{id}-copy")
    verified = program("verify", f"hf:{id}", f"hf:{id}-copy", "--repo-type", "dataset", "--checksums", "sums")
    assert verified.returncode == 0, verified.stderr
    from_hugging_face(sandbox, f"{id}-copy", "dataset", tmp_path / "down")
    checked = sha256sum(tmp_path / "down", "--strict", "-c", "../sums")
    assert checked.returncode == 0 and len(checked.stdout.splitlines()) >= len(ODD), checked.stdout + checked.stderr
    # And what sha256sum writes of the download is read.
    names = [path.relative_to(tmp_path / "down").as_posix() for path in (tmp_path / "down").glob("*.txt")]
    assert sorted(names) == sorted(ODD)
    (tmp_path / "own").write_text(sha256sum(tmp_path / "down", "--", *names).stdout)
    against = program("verify", f"hf:{id}-copy", "--repo-type", "dataset", "--against", "own")
    assert against.returncode == 0 and f"equal: {len(ODD)} files" in against.stdout, against.stdout + against.stderr
