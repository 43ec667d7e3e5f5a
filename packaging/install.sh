#!/bin/sh
# Installs hf2ms from the archives of a release, after their checksum was compared:
#   curl -LsSf https://github.com/hf2ms/hf2ms/releases/latest/download/install.sh | sh
# HF2MS_VERSION installs that version instead of the latest one, HF2MS_BIN another folder than ~/.local/bin. HF2MS_RELEASES is where
# the releases are, a mirror say. Manual pages, completions and licences go to the folder share beside bin; inside a folder that has
# another name.
set -eu

releases=${HF2MS_RELEASES:-https://github.com/hf2ms/hf2ms/releases}

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The target whose programs run here.
target() {
    case "$(uname -s):$(uname -m)" in
        Linux:x86_64 | Linux:amd64) echo x86_64-unknown-linux-musl ;;
        Linux:aarch64 | Linux:arm64) echo aarch64-unknown-linux-musl ;;
        Darwin:x86_64) echo x86_64-apple-darwin ;;
        Darwin:arm64) echo aarch64-apple-darwin ;;
        *) die "there are no programs for $(uname -s) on $(uname -m): try pip install hf2ms-cli, or cargo install hf2ms hf2ms-worker" ;;
    esac
}

# fetch FILE: downloads a file of the release into the temporary folder.
fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl --location --silent --show-error --fail --output "$folder/$1" "$address/$1"
    elif command -v wget >/dev/null 2>&1; then
        wget --quiet --output-document "$folder/$1" "$address/$1"
    else
        die "neither curl nor wget is here: install one of them"
    fi || die "$address/$1 can't be downloaded: check the network, or HF2MS_VERSION"
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1"
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 "$1"
    else
        die "neither sha256sum nor shasum is here: install one of them"
    fi | cut -d ' ' -f 1
}

install_programs() {
    for program in "$folder"/unpacked/*/hf2ms*; do
        # Aside and renamed: a program that runs is not overwritten.
        cp "$program" "$bin/.${program##*/}.new" || die "$bin can't be written to: set HF2MS_BIN to another folder"
        chmod 755 "$bin/.${program##*/}.new"
        mv "$bin/.${program##*/}.new" "$bin/${program##*/}"
    done
}

# Where `man` and shells look below the prefix of a folder of programs.
share() {
    case "/${bin%/}" in */bin) echo "$(dirname "$bin")/share" ;; *) echo "${bin%/}/share" ;; esac
}

# install_rest SHARE: what an archive has beside its programs.
install_rest() {
    mkdir -p "$1/doc/hf2ms" || return 1
    for file in "$folder"/unpacked/*/*LICENSE*; do
        [ ! -f "$file" ] || cp "$file" "$1/doc/hf2ms/" || return 1
    done
    for part in "$folder"/unpacked/*/share; do
        [ ! -d "$part" ] || cp -R "$part/." "$1/" || return 1
    done
}

main() {
    if [ -n "${HF2MS_VERSION:-}" ]; then address=$releases/download/v${HF2MS_VERSION#v}; else address=$releases/latest/download; fi
    if [ -z "${HF2MS_BIN:-}" ] && [ -z "${HOME:-}" ]; then die "HOME is not set: set HF2MS_BIN to a folder for the programs"; fi
    bin=${HF2MS_BIN:-$HOME/.local/bin}
    archive=hf2ms-$(target).tar.gz
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    fetch "$archive"
    fetch SHA256SUMS
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p" "$folder/SHA256SUMS")
    [ -n "$expected" ] || die "SHA256SUMS does not name $archive: nothing was installed"
    found=$(sha256 "$folder/$archive")
    [ "$found" = "$expected" ] || die "$archive has the checksum $found, and SHA256SUMS says $expected: nothing was installed; try again"
    mkdir "$folder/unpacked"
    tar -xzf "$folder/$archive" -C "$folder/unpacked"
    mkdir -p "$bin" || die "$bin can't be made: set HF2MS_BIN to another folder"
    install_programs
    printf 'installed %s in %s\n' "$("$bin/hf2ms" --version)" "$bin"
    if install_rest "$(share)"; then
        printf 'manual pages, completions and licences are in %s\n' "$(share)"
    else
        printf "warning: %s can't be written to: manual pages, completions and licences are not installed\n" "$(share)" >&2
    fi
    case ":$PATH:" in *":$bin:"*) ;; *) printf '%s is not in PATH: add it to use hf2ms\n' "$bin" ;; esac
}

# All is read before anything is done: a download that was cut does nothing.
main
