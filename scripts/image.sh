#!/usr/bin/env bash
# The images hf2ms-worker:VERSION and hf2ms-sandbox:VERSION (and :latest of each), FROM scratch, from the static binaries; the worker's holds the licences, too.
#   scripts/image.sh [--built]
# --built takes the binaries of target/static as they are. DOCKER=podman builds the images with podman.
source "$(dirname "$0")/setup.sh"

docker=${DOCKER:-docker}
command -v "$docker" >/dev/null 2>&1 || die "$docker is missing: install Docker or podman, or name one by DOCKER"
"$docker" info >/dev/null 2>&1 || die "$docker does not answer: start it, or look at its permissions"
case "${1:-}" in
    '') "$root/scripts/build-worker.sh" --sandbox ;;
    --built) ;;
    *) die "unknown argument $1: expected [--built]" ;;
esac
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# image NAME DOCKERFILE: builds NAME from the folder $context/NAME.
image() {
    local log="$context/$1.log"
    "$docker" build --quiet --build-arg VERSION="$version" --file "$2" --tag "$1:$version" --tag "$1:latest" "$context/$1" >"$log" 2>&1 ||
        { cat "$log" >&2; die "the image $1 was not built"; }
    # What had the name before has none now.
    "$docker" image prune --force --filter label=org.opencontainers.image.title="$1" >/dev/null
    echo "$1:$version: $("$docker" image inspect --format '{{.Size}}' "$1:$version") bytes, its binary $(stat -c %s "target/static/$1")"
}

say "building the images"
mkdir -p "$context/hf2ms-worker/root" "$context/hf2ms-sandbox/data"
chmod 755 "$context/hf2ms-worker/root"
install -m 755 target/static/hf2ms-worker "$context/hf2ms-worker/root"
install -m 755 target/static/hf2ms-sandbox "$context/hf2ms-sandbox"
licences x86_64-unknown-linux-musl target/static/hf2ms-worker "$context/hf2ms-worker/root"
image hf2ms-worker docker/Dockerfile
image hf2ms-sandbox docker/sandbox.Dockerfile
