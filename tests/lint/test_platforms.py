"""The programs compile for macOS and Windows: `cargo check`, with C compilers for what dependencies have in C."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from programs import ROOT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# What `zig cc` does not know: the crate `cc` speaks to Apple's compiler. It has the headers of macOS, but no SDK.
WRAPPER = """#!/bin/sh
for word; do
    shift
    case $skip$word in
        skip*) skip= ;;
        -arch | -isysroot) skip=skip ;;
        --target=* | -mmacosx-version-min=* | -mmacos-version-min=*) ;;
        *) set -- "$@" "$word" ;;
    esac
done
exec '{python}' -m ziglang {command} "$@"
"""


def has_target(target):
    """Whether Rust has the standard library of this target."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], text=True, capture_output=True, check=True).stdout.strip()
    return Path(sysroot, "lib/rustlib", target, "lib").is_dir()


def wrapper(name, command):
    """A program that runs Zig, always at the same path: another one would have all C code compiled anew."""
    path = TARGET / "zig" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = WRAPPER.format(python=sys.executable, command=command)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o755)
    return str(path)


def mingw():
    """Debian's gcc for Windows, which the crate `cc` finds by its name."""
    if not shutil.which("x86_64-w64-mingw32-gcc"):
        pytest.skip("there is no x86_64-w64-mingw32-gcc: apt-get install gcc-mingw-w64-x86-64")
    return {}


def zig():
    """Zig's C compiler for macOS."""
    if not importlib.util.find_spec("ziglang"):
        pytest.skip("there is no ziglang: pip install ziglang")
    # A path for the SDK keeps the crate `cc` from asking Apple's xcrun.
    # Zig refuses a program that tells when it was compiled, as mimalloc does.
    compiler = wrapper("aarch64-macos-cc", "cc -target aarch64-macos -Wno-date-time")
    return {"CC_aarch64_apple_darwin": compiler, "AR_aarch64_apple_darwin": wrapper("ar", "ar"), "SDKROOT": "/"}


@pytest.mark.parametrize(("target", "compiler"), [("x86_64-pc-windows-gnu", mingw), ("aarch64-apple-darwin", zig)])
def test_the_programs_compile_for(target, compiler):
    if not has_target(target):
        pytest.skip(f"Rust has no {target} here: rustup target add {target}")
    # In the profile of the static programs, whose build scripts serve here; and the tests' own folder is not locked meanwhile.
    command = ["cargo", "check", "--release", "--quiet", "--workspace", "--bins", "--target", target]
    ran = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, env=os.environ | compiler())
    # Without errors and warnings nothing is printed.
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
