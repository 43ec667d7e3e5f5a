#!/usr/bin/env bash
# All tests: format, clippy without warnings, unit, contract, fault and end-to-end tests, and the official clients
# against the sandbox. Installs what is missing; the last line counts.
source "$(dirname "$0")/setup.sh"

setup_rust
setup_rust_checks
setup_python

say "format"
cargo fmt --all --check
say "clippy"
cargo clippy --quiet --workspace --all-targets -- -D warnings
say "building"
cargo build --quiet --workspace --bins --tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say "rust tests"
cargo test --workspace --no-fail-fast 2>&1 | tee "$log" || rust=failed
say "the official clients against the sandbox"
"$venv/bin/python" -m pytest -q sandbox/tests 2>&1 | tee -a "$log" || python=failed

# count WORD: adds up "N WORD" over the closing lines of every runner.
count() { grep -E '^(test result:|=* ?[0-9]+ (passed|failed|skipped))|[0-9]+ (passed|failed).* in [0-9.]+s' "$log" | grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(count passed) failed=$(count failed) skipped=$(( $(count ignored) + $(count skipped) ))
[ -z "${rust:-}${python:-}" ] || [ "$failed" -gt 0 ] || failed=1
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
