#!/usr/bin/env bash
# The worker as one static file for any x86_64 Linux: no loader, no library, no file beside it.
#   scripts/build-worker.sh [--out FILE] [--sandbox|--all] [--libc musl|glibc] [--target TRIPLE]
# --sandbox builds hf2ms-sandbox too, beside the worker, and --all hf2ms as well. Without --libc it is musl where Rust has that target.
# --target builds for x86_64-unknown-linux-musl or aarch64-unknown-linux-musl, with Zig's compiler where the machine is another.
source "$(dirname "$0")/setup.sh"

out='' libc=any packages=(hf2ms-worker) target=''
while [ $# -gt 0 ]; do
    case "$1" in
        --out) out=$(realpath -m "${2:?--out needs a file}"); shift ;;
        --libc) libc=${2:?--libc needs musl or glibc}; shift ;;
        --sandbox) packages=(hf2ms-worker hf2ms-sandbox) ;;
        --all) packages=(hf2ms-worker hf2ms-sandbox hf2ms) ;;
        --target) target=${2:?--target needs a triple}; libc=musl; shift ;;
        *) die "unknown argument $1: expected [--out FILE] [--sandbox|--all] [--libc musl|glibc] [--target TRIPLE]" ;;
    esac
    shift
done
case "$target" in
    '' | x86_64-unknown-linux-musl | aarch64-unknown-linux-musl) ;;
    *) die "--target is $target: expected x86_64-unknown-linux-musl or aarch64-unknown-linux-musl" ;;
esac
out=${out:-$root/target/static/${target:+$target/}hf2ms-worker}
most=10000000   # bytes the worker may have
slowest=50      # milliseconds it may take to start

machine=$(uname -m)
[ "$(uname -s)" = Linux ] || die "this builds on Linux only"
[ "$machine" = x86_64 ] || [ -n "$target" ] || die "this builds for x86_64 Linux on x86_64 Linux only: name another by --target"
setup_rust

# Whether Rust has, or can get, the musl target.
has_musl() {
    local target=${target:-x86_64-unknown-linux-musl}
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || { command -v rustup >/dev/null 2>&1 && rustup target add "$target" >&2; }
}

# build PACKAGE: compiles a static binary; the target is in $target.
build() {
    # Each container starts the worker: it is made as small as can be. The others are built sooner; hf2ms moves no file's bytes.
    local lto=off level=3 units=16
    case "$1" in
        hf2ms-worker) lto=fat units=1 ;;
        hf2ms) level=1 ;;
    esac
    # A panic ends these programs: nothing reads the tables for unwinding, a fifteenth of the worker.
    local flags="${RUSTFLAGS:-} -C force-unwind-tables=no"
    [ "$libc" = musl ] || flags="$flags -C target-feature=+crt-static"
    RUSTFLAGS=$flags CARGO_PROFILE_RELEASE_LTO=$lto CARGO_PROFILE_RELEASE_OPT_LEVEL=$level CARGO_PROFILE_RELEASE_CODEGEN_UNITS=$units \
        cargo "$build" --release --quiet --target "$target" --package "$1"
}

# check_file FILE: static and stripped.
check_file() {
    need readelf binutils
    ! readelf --wide --program-headers "$1" | grep -q INTERP || die "$1 is not static: it asks for a loader"
    ! readelf --wide --dynamic "$1" | grep -q NEEDED || die "$1 is not static: it asks for shared libraries"
    ! readelf --wide --sections "$1" | grep -q ' \.symtab ' || die "$1 is not stripped: look at strip in Cargo.toml's release profile"
}

# install_file NAME FILE: puts what cargo built where it is wanted, at once and only when it differs.
install_file() {
    local built="${CARGO_TARGET_DIR:-$root/target}/$target/release/$1"
    cmp -s "$built" "$2" && return
    mkdir -p "$(dirname "$2")"
    cp "$built" "$2.new"
    mv "$2.new" "$2"
}

# in_empty_root FOLDER COMMAND..: runs a command that sees nothing but FOLDER.
in_empty_root() {
    if [ "$(id -u)" = 0 ]; then chroot "$@"
    elif unshare --user --map-root-user true 2>/dev/null; then unshare --user --map-root-user chroot "$@"
    else sudo -n chroot "$@"; fi
}

can_change_root() { [ "$(id -u)" = 0 ] || unshare --user --map-root-user true 2>/dev/null || sudo -n true 2>/dev/null; }

# milliseconds COMMAND..: how long it takes, the best of ten.
milliseconds() {
    local best=999999 began took
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        began=${EPOCHREALTIME/[.,]/}
        "$@" >/dev/null || return
        took=$((${EPOCHREALTIME/[.,]/} - began))
        [ $took -ge $best ] || best=$took
    done
    printf '%d.%d' $((best / 1000)) $((best % 1000 / 100))
}

check_start() {
    if [ "${target%%-*}" != "$machine" ]; then
        echo "skipped: $out is for another processor than this machine's, so it was not started" >&2
        return
    fi
    if ! can_change_root; then
        echo "skipped: starting in an empty root needs root, user namespaces or sudo" >&2
        return
    fi
    local empty ms
    empty=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$empty'" EXIT
    cp "$out" "$empty/hf2ms-worker"
    ms=$(milliseconds in_empty_root "$empty" /hf2ms-worker --version) || die "$out does not start in an empty root"
    [ "${ms%.*}" -lt $slowest ] || die "$out takes $ms ms to start in an empty root: $slowest at most"
    echo "starts in an empty root in $ms ms"
}

if [ "$libc" = any ]; then has_musl && libc=musl || libc=glibc; fi
build=build
case "$libc" in
    musl)
        has_musl || die "Rust has no musl target here: use --libc glibc"
        target=${target:-x86_64-unknown-linux-musl}
        if [ "${target%%-*}" = "$machine" ]; then need musl-gcc musl-tools; else setup_zig; build=zigbuild; fi ;;
    glibc) target=x86_64-unknown-linux-gnu ;;
    *) die "--libc is $libc: expected musl or glibc" ;;
esac
say "building ${packages[*]}, static, for $target"
# One at a time: together they would share the features of their dependencies, and the worker would have what only hf2ms needs.
for package in "${packages[@]}"; do
    build "$package"
    file=$(dirname "$out")/$package
    [ "$package" != hf2ms-worker ] || file=$out
    install_file "$package" "$file"
    check_file "$file"
    echo "$file: $libc, static, stripped, $(stat -c %s "$file") bytes"
done
bytes=$(stat -c %s "$out")
[ "$bytes" -le $most ] || die "$out has $bytes bytes: $most at most"
check_start
