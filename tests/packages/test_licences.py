"""The packages hold the licences of all that is linked into their programs."""

import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from packages.installed import PACKAGES
from programs import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import licences  # noqa: E402

TARGET = "x86_64-unknown-linux-musl"
NAME = "THIRD-PARTY-LICENSES"
LONGEST = 10  # seconds
needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    began, file = time.monotonic(), tmp_path_factory.mktemp("licences") / NAME
    subprocess.run([sys.executable, ROOT / "scripts/licences.py", "--target", TARGET, file], check=True)
    assert time.monotonic() - began < LONGEST
    return file.read_text()


def crates():
    """The crates of others that cargo links into the programs."""
    packages = [f"--package={program}" for program in licences.PROGRAMS]
    command = ["cargo", "tree", "--locked", "--target", TARGET, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", *packages]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.replace(" v", ": ", 1).split(" (")[0].replace(": ", " ") for line in lines if line and "(/" not in line}


@needs_cargo
def test_each_crate_is_named_with_its_texts(written):
    missing = {crate for crate in crates() if f"\n{crate}: " not in written}
    assert not missing
    head, *texts = re.split(r"^-+\n\[\d+\]\n-+\n", written, flags=re.MULTILINE)
    assert {int(number) for number in re.findall(r"\[(\d+)\]", head)} == set(range(1, len(texts) + 1))
    assert all(text.strip() for text in texts)


@needs_cargo
@pytest.mark.parametrize(
    "words",
    [
        "libgit2 is Copyright (C) the libgit2 contributors",
        "PCRE2 Licence",
        "Jean-loup Gailly",
        "Microsoft Corporation, Daan Leijen",
        "sourced from BoringSSL under the",
        "Rich Felker",
        "Copyright notices for The Rust Standard Library",
    ],
)
def test_what_is_no_crate_is_there_too(written, words):
    assert words in written


@needs_cargo
def test_the_same_programs_have_the_same_licences(written):
    assert licences.written(TARGET, glibc=False) == written


def test_a_crate_without_the_text_of_its_licence_is_refused(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/license.rs").write_text("// no licence\n")
    crate = {"manifest_path": str(tmp_path / "Cargo.toml"), "license": "MIT", "license_file": None}
    with pytest.raises(SystemExit, match="has no text of its licence, MIT"):
        licences.texts(crate)
    (tmp_path / "c/tests").mkdir(parents=True)
    (tmp_path / "c/COPYING").write_text("of the C code\n")
    (tmp_path / "c/tests/LICENSE").write_text("of a test\n")
    assert licences.texts(crate) == [("c/COPYING", "of the C code\n")]
    assert licences.texts(crate | {"license_file": "c/tests/LICENSE"})[1] == ("c/tests/LICENSE", "of a test\n")


def test_the_wheel_and_the_archive_hold_them(package):
    with zipfile.ZipFile(package) as wheel:
        (info,) = (name.split("/")[0] for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = wheel.read(f"{info}/METADATA").decode()
        assert {"License-File: LICENSE", f"License-File: {NAME}"} <= set(metadata.splitlines())
        in_wheel = wheel.read(f"{info}/licenses/{NAME}")
    archive = PACKAGES / f"hf2ms-{TARGET}.tar.gz"
    with tarfile.open(archive) as files:
        assert files.extractfile(f"hf2ms-{TARGET}/{NAME}").read() == in_wheel
    assert b"libgit2 is Copyright" in in_wheel
