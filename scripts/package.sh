#!/usr/bin/env bash
# One wheel and one archive with the programs, for users who have no Rust.
#   scripts/package.sh [--target TRIPLE] [--built] [--out FOLDER]
# The programs are static ones for this machine, or those of --target. --built takes what is in target/static (in its folder of that
# name with --target) as it is. The packages go to target/package.
source "$(dirname "$0")/setup.sh"

target='' built=no out="$root/target/package"
while [ $# -gt 0 ]; do
    case "$1" in
        --target) target=${2:?--target needs a triple}; shift ;;
        --built) built=yes ;;
        --out) out=$(realpath -m "${2:?--out needs a folder}"); shift ;;
        *) die "unknown argument $1: expected [--target TRIPLE] [--built] [--out FOLDER]" ;;
    esac
    shift
done
most=25000000   # bytes the wheel may have
programs=$root/target/static/$target
[ $built = yes ] || "$root/scripts/build-worker.sh" --all ${target:+--target "$target"}
target=${target:-x86_64-unknown-linux-musl}
setup_wheels

# The platform tags of a wheel (PEP 600, PEP 656): static programs need neither glibc nor musl, so that any version of both will do.
case "$target" in
    *-unknown-linux-musl)
        cpu=${target%%-*}
        platform=manylinux2014_$cpu.manylinux_2_17_$cpu.musllinux_1_1_$cpu ;;
    x86_64-apple-darwin) platform=macosx_10_13_x86_64 ;;
    aarch64-apple-darwin) platform=macosx_11_0_arm64 ;;
    x86_64-pc-windows-*) platform=win_amd64 ;;
    *) die "there is no platform tag for $target: add it to scripts/package.sh" ;;
esac
suffix=
case "$target" in *-windows-*) suffix=.exe ;; esac

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
archive=hf2ms-$target
mkdir -p "$out" "$stage/$archive"
for program in hf2ms hf2ms-worker hf2ms-sandbox; do
    install -m 755 "$programs/$program$suffix" "$stage/$archive/" || die "$programs/$program$suffix is missing: leave --built out"
done
# Containers run Linux: the workers for them go along where the machine's own is none.
for cpu in x86_64 aarch64; do
    worker=$root/target/static/$cpu-unknown-linux-musl/hf2ms-worker
    case "$target:$cpu" in
        "$cpu-unknown-linux-musl:$cpu" | x86_64-unknown-linux-musl:aarch64) ;;
        *) if [ -f "$worker" ]; then install -m 755 "$worker" "$stage/$archive/hf2ms-worker-linux-$cpu"
           else echo "$target: without a worker for containers on $cpu, since $worker is missing" >&2; fi ;;
    esac
done
licences "$target" "$programs/hf2ms$suffix" "$stage"
cp -r packaging/python/. "$stage"
cp -r "$stage/$archive" "$stage/bin"

# complete SHELL FILE: writes the completions of a shell where it looks for them below a prefix such as /usr/local.
complete() {
    mkdir -p "$stage/$archive/share/$(dirname "$2")"
    "$starts" completions "$1" >"$stage/$archive/share/$2"
}
# They and the manual pages are alike for all systems: a program that starts on this machine says them.
native=$(uname -m)-unknown-linux-musl
starts=$root/target/static/$native/hf2ms
# Pages of the same source are the same on every day.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
[ "$target" != "$native" ] || starts=$stage/bin/hf2ms
if [ -x "$starts" ]; then
    complete bash bash-completion/completions/hf2ms
    complete zsh zsh/site-functions/_hf2ms
    complete fish fish/vendor_completions.d/hf2ms.fish
    "$starts" man --dir "$stage/$archive/share/man/man1"
    cp -r "$stage/$archive/share" "$stage"
fi
cp README.md Cargo.toml "$stage"
cp README.md CHANGELOG.md "$stage/LICENSE" "$stage/THIRD-PARTY-LICENSES" "$stage/$archive"

say "packing for $target"
rm -f "$out"/hf2ms_cli-*-"$platform".whl
HF2MS_PLATFORM=$platform "$venv/bin/python" - "$stage" "$out" <<'PYTHON'
import os, sys
os.chdir(sys.argv[1])
from hatchling.build import build_wheel
build_wheel(sys.argv[2])
PYTHON
tar --sort=name --owner=0 --group=0 --numeric-owner -czf "$out/$archive.tar.gz" -C "$stage" "$archive"
for package in "$out"/hf2ms_cli-*-"$platform".whl "$out/$archive.tar.gz"; do
    bytes=$(stat -c %s "$package")
    echo "$package: $bytes bytes"
    [ "$bytes" -le $most ] || die "$package has $bytes bytes: $most at most"
done
