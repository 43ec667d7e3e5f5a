"""What a release is made of: notes by the changelog, checksums, the formula, an installer that believes no wrong archive, and crates that can be published."""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading

import pytest

from programs import ROOT, environment

sys.path.insert(0, str(ROOT / "scripts"))
import release  # noqa: E402

# What an archive has beside the programs, and where it belongs below a prefix (scripts/package.sh).
REST = {
    "share/man/man1/hf2ms.1": "share/man/man1/hf2ms.1",
    "share/bash-completion/completions/hf2ms": "share/bash-completion/completions/hf2ms",
    "LICENSE": "share/doc/hf2ms/LICENSE",
    "THIRD-PARTY-LICENSES": "share/doc/hf2ms/THIRD-PARTY-LICENSES",
}
TARGETS = ("aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl")


@pytest.fixture
def dist(tmp_path):
    """Archives for each system, whose hf2ms says its version."""
    folder = tmp_path / "dist"
    folder.mkdir()
    program = tmp_path / "hf2ms"
    program.write_text("#!/bin/sh\necho hf2ms 1.2.3\n")
    program.chmod(0o755)
    for target in TARGETS:
        with tarfile.open(folder / f"hf2ms-{target}.tar.gz", "w:gz") as archive:
            for name in ("hf2ms", "hf2ms-worker"):
                archive.add(program, f"hf2ms-{target}/{name}")
            for name in REST:
                archive.add(ROOT / "LICENSE", f"hf2ms-{target}/{name}")
    release.finish(folder)
    return folder


@pytest.fixture
def site(dist):
    """The releases on loopback."""
    releases = dist.parent / "releases"
    (releases / "latest").mkdir(parents=True)
    (releases / "latest/download").symlink_to(dist)
    (releases / "download").mkdir()
    (releases / "download/v1.2.3").symlink_to(dist)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=releases)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def install(site, folder, **more):
    """Runs the installer for a user whose folder of programs is this."""
    variables = {"HF2MS_RELEASES": site, "HF2MS_BIN": str(folder), "NO_PROXY": "127.0.0.1"}
    command = ["sh", str(ROOT / "packaging/install.sh")]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**variables | more))


@pytest.mark.parametrize("version", [{}, {"HF2MS_VERSION": "1.2.3"}], ids=["latest", "named"])
def test_the_installer_puts_the_programs_of_a_release_in_place(site, tmp_path, version):
    ran = install(site, tmp_path / "bin", **version)
    assert ran.returncode == 0, ran.stderr
    assert "installed hf2ms 1.2.3" in ran.stdout
    assert files(tmp_path / "bin") == {"hf2ms", "hf2ms-worker"}


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_installer_brings_pages_completions_and_licences(site, tmp_path):
    """Below the prefix of `bin`, and nowhere but inside a folder that has another name."""
    programs = {"hf2ms", "hf2ms-worker"}
    for below, bin in (("", "bin"), ("tools/", "tools")):
        prefix = tmp_path / f"prefix-{bin}"
        ran = install(site, prefix / bin)
        assert ran.returncode == 0 and f"licences are in {prefix}/{below}share" in ran.stdout, ran.stdout + ran.stderr
        assert files(prefix) == {f"{bin}/{name}" for name in programs} | {below + path for path in REST.values()}


def test_the_installer_names_a_folder_that_takes_nothing(site, tmp_path):
    """Also for root, who may write to any folder but this."""
    ran = install(site, "/proc")
    assert ran.returncode == 1 and "error: /proc can't be written to: set HF2MS_BIN to another folder" in ran.stderr, ran.stderr
    (tmp_path / "share").write_text("")
    ran = install(site, tmp_path / "bin")
    assert ran.returncode == 0 and f"warning: {tmp_path}/share can't be written to" in ran.stderr, ran.stderr


def test_the_installer_installs_nothing_of_an_archive_with_another_checksum(site, dist, tmp_path):
    for archive in dist.glob("*.tar.gz"):
        archive.write_bytes(archive.read_bytes() + b"\0")
    ran = install(site, tmp_path / "bin")
    assert ran.returncode == 1 and "nothing was installed" in ran.stderr
    assert not (tmp_path / "bin").exists()


def test_the_installer_installs_nothing_that_has_no_checksum(site, dist, tmp_path):
    (dist / release.CHECKSUMS).write_text("")
    ran = install(site, tmp_path / "bin")
    assert ran.returncode == 1 and "does not name" in ran.stderr
    assert not (tmp_path / "bin").exists()


def test_the_installer_names_what_it_cant_download(site, tmp_path):
    ran = install(site, tmp_path / "bin", HF2MS_VERSION="9.9.9")
    assert ran.returncode == 1 and "v9.9.9" in ran.stderr.splitlines()[-1]


def test_the_checksums_are_those_of_all_files(dist):
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", release.CHECKSUMS], cwd=dist, check=True)
    named = {line.split("  ")[1] for line in (dist / release.CHECKSUMS).read_text().splitlines()}
    assert named == {path.name for path in dist.iterdir()} - {release.CHECKSUMS}


def test_the_formula_names_the_archives_with_their_checksums(dist):
    text = (dist / "hf2ms.rb").read_text()
    found = dict(re.findall(r'url "[^"]*/hf2ms-([a-z0-9_-]+)\.tar\.gz"\s+sha256 "([0-9a-f]{64})"', text))
    assert found == {target: release.digest(dist / f"hf2ms-{target}.tar.gz") for target in TARGETS}
    assert "@" not in text


def test_a_formula_of_an_archive_that_is_not_there_is_refused(dist):
    (dist / f"hf2ms-{TARGETS[0]}.tar.gz").unlink()
    with pytest.raises(SystemExit, match="is not there"):
        release.finish(dist)


def test_the_notes_are_the_section_of_that_version(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- next\n\n## 1.2.3 - 2026-12-01\n\n### Added\n- this\n\n## [1.2.2]\n- old\n")
    assert release.notes("1.2.3", tmp_path) == "### Added\n- this\n"
    assert release.notes("1.2.2", tmp_path) == "- old\n"
    with pytest.raises(SystemExit, match="says nothing of 2.0.0"):
        release.notes("2.0.0", tmp_path)


def test_the_addresses_of_releases_are_those_of_the_repository():
    repository = release.of_workspace("repository")
    for file in ("packaging/install.sh", "packaging/python/pyproject.toml"):
        assert set(re.findall(r"https://github\.com/[\w.-]+/[\w-]+", (ROOT / file).read_text())) == {repository}


def test_the_version_stands_once():
    version = release.of_workspace("version")
    text = (ROOT / "Cargo.toml").read_text()
    assert set(re.findall(r'^hf2ms-\w+ = .*version = "([^"]+)"', text, re.MULTILINE)) == {version}
    for crate in ("hub", "worker", "controller", "sandbox"):
        assert "version.workspace = true" in (ROOT / crate / "Cargo.toml").read_text()
    assert 'dynamic = ["version"]' in (ROOT / "packaging/python/pyproject.toml").read_text()


def test_the_sdk_of_the_extra_is_the_one_that_the_bridge_is_written_for():
    source = (ROOT / "controller/src/engine/modal/mod.rs").read_text()
    (sdk,) = re.findall(r'const SDK: &str = "([^"]+)"', source)
    assert f'modal = ["modal=={sdk}"]' in (ROOT / "packaging/python/pyproject.toml").read_text()


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_the_crates_hold_all_that_they_are_built_of():
    listed = subprocess.run(["cargo", "package", "--list", "--allow-dirty", "--package", "hf2ms"], cwd=ROOT, capture_output=True, text=True, check=True)
    packed = set(listed.stdout.splitlines())
    for source in (ROOT / "controller/src").rglob("*.rs"):
        for included in re.findall(r'include_str!\("([^"]+)"\)', source.read_text()):
            path = os.path.relpath(source.parent / included, ROOT / "controller")
            assert path in packed, f"{source} includes {included}"
