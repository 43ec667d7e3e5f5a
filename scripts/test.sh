#!/usr/bin/env bash
# All tests: the house rules with the format, clippy without warnings, unit, contract, fault and end-to-end tests, those of the
# static worker and its image, and the Python suites: official clients, Modal on loopback, Git servers, dependencies. Installs what is
# missing; the last line counts.
# A signal that is ignored when a program starts stays ignored (a shell does that to what it starts in the background), and the
# tests send signals: so this script begins anew with none ignored.
[ -n "${HF2MS_SIGNALS_ARE_DEFAULT:-}" ] || HF2MS_SIGNALS_ARE_DEFAULT=1 exec env --default-signal=HUP,INT,QUIT,TERM bash "$0" "$@"
source "$(dirname "$0")/setup.sh"

setup_rust
setup_rust_checks
setup_targets
setup_python
setup_site
setup_git
need shellcheck shellcheck
setup_shells

# A fresh clone compiles each thing once: what would make a second time faster costs time and disk alone.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
broken=no
log=$(mktemp) packages=$(mktemp) platforms=$(mktemp) packing='' checking=''
# Tests that need what can't be had here leave a line in this file.
HF2MS_SKIPPED=$(mktemp)
export HF2MS_SKIPPED
end() {
    [ -z "$packing$checking" ] || kill $packing $checking 2>/dev/null || true
    rm -f "$log" "$packages" "$platforms" "$HF2MS_SKIPPED"
    # A test that was killed may leave its network: nothing else outlives it.
    docker network prune --force --filter label=hf2ms.test >/dev/null 2>&1 || true
}
trap end EXIT
# Beside the checks: the worker's last step has one thread.
say "the static programs and their packages are built meanwhile"
{ ./scripts/build-worker.sh --all && ./scripts/package.sh --built; } >"$packages" 2>&1 &
packing=$!
say "house rules"
./scripts/lint-house || broken=yes
# The sandbox's Xet comes of crates that need a newer Rust than the rest; without them its tests are skipped.
with=()
rustc_is 95 && with=(--features hf2ms-sandbox/xet)
say "clippy"
cargo clippy --quiet --workspace --all-targets "${with[@]}" -- -D warnings
# Without Xet, in the whole workspace: so the dependencies have the same features, and none is compiled for the worker alone.
cargo clippy --quiet --workspace --bins --no-default-features "${with[@]}" -- -D warnings
say "building"
# A worker without Xet, kept aside: what is built next has its name.
built="${CARGO_TARGET_DIR:-$root/target}/debug"
cargo build --quiet --workspace --bin hf2ms-worker --no-default-features "${with[@]}"
install -D "$built/hf2ms-worker" "$root/target/without-xet/hf2ms-worker"
cargo build --quiet --workspace --bins --tests "${with[@]}"
wait "$packing" || broken=yes
cat "$packages"
export HF2MS_STATIC_WORKER="$root/target/static/hf2ms-worker"
if setup_docker; then
    ./scripts/image.sh --built || broken=yes
else
    echo "there is no Docker engine and none can be had: its tests are skipped" >&2
fi
setup_podman || echo "there is no podman and none can be had: its tests are skipped" >&2
# Most tests wait for a server: more of them at a time than there are processors, and what only compiles goes beside them.
export RUST_TEST_THREADS=4
platforms_alone=tests/lint/test_platforms.py
nice "$venv/bin/python" -m pytest -q "$platforms_alone" >"$platforms" 2>&1 &
checking=$!
say "rust tests"
cargo test --workspace --no-fail-fast "${with[@]}" 2>&1 | tee "$log" || broken=yes
say "the official clients, the Modal app and its bridge, mirrors between Git servers, and the house rules' own tests"
"$venv/bin/python" -m pytest -q tests --ignore "$platforms_alone" 2>&1 | tee -a "$log" || broken=yes
say "Windows and macOS"
wait "$checking" || broken=yes
tee -a "$log" <"$platforms"

# Last, since the programs that it builds have a third hub. The same features as before: so no dependency is built anew.
say "a third hub"
third=(--workspace --no-fail-fast "${with[@]}" --features hf2ms/toy-hub)
cargo build --quiet --workspace --bins "${with[@]}" --features hf2ms/toy-hub || broken=yes
cargo test "${third[@]}" --test contract toy 2>&1 | tee -a "$log" || broken=yes
cargo test "${third[@]}" --test toy_hub 2>&1 | tee -a "$log" || broken=yes

# sum WORD: adds up "N WORD" over the closing lines of every runner.
sum() {
    awk -v word="$1" '/^test result:|(passed|failed|error).* in [0-9.]+s/ {
        for (i = 2; i <= NF; i++) { w = $i; gsub(/[^a-z]/, "", w); n = $(i - 1); gsub(/[^0-9]/, "", n); if (w == word && n != "") total += n }
    } END { print total + 0 }' "$log"
}
# A test that skips itself has passed for its runner.
gave_up=$(wc -l <"$HF2MS_SKIPPED")
passed=$(( $(sum passed) - gave_up )) failed=$(sum failed) skipped=$(( $(sum ignored) + $(sum skipped) + gave_up ))
sort "$HF2MS_SKIPPED"
# A runner that failed without counting (a build error, say) is one failure.
[ "$broken" = no ] || [ "$failed" -gt 0 ] || failed=1
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
