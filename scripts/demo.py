"""The demo's two ends: the official clients upload the model to one hub and download it from the other."""

import argparse
import filecmp
import json
import os
import sys
from pathlib import Path

REPO = "alice/all-minilm-l6-v2"
# The platform's own files in a new repo, which the source does not have.
PLATFORM_FILES = {"configuration.json"}


def environment(args: argparse.Namespace) -> None:
    """Print the variables that point every client at the sandbox."""
    ready = json.loads(args.ready.read_text())
    token = {hub: next(a["token"] for a in accounts if a["user"] == "alice" and a["write"]) for hub, accounts in ready["accounts"].items()}
    variables = {
        "HF_ENDPOINT": ready["hf"],
        "HF_TOKEN": token["hf"],
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "MODELSCOPE_ENDPOINT": ready["ms"],
        "MODELSCOPE_TOKEN": token["ms"],
    }
    export(variables)


def modal(args: argparse.Namespace) -> None:
    """Print the variables that point Modal's SDK at the loopback Modal."""
    told = json.loads(args.ready.with_name("modal.json").read_text())
    export({"MODAL_SERVER_URL": told["url"], "MODAL_TOKEN_ID": told["token_id"], "MODAL_TOKEN_SECRET": told["token_secret"]})


def export(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        print(f"export {name}={value}")


def upload(args: argparse.Namespace) -> None:
    """Create the repo on the Hugging Face side and upload the model's folder."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(REPO, private=True, exist_ok=True)
    print(api.upload_folder(repo_id=REPO, folder_path=args.model, commit_message="Upload the model"))


def compare(args: argparse.Namespace) -> None:
    """Download from the ModelScope side and compare with what was uploaded, byte for byte."""
    from modelscope_hub import HubApi

    api = HubApi(token=os.environ["MODELSCOPE_TOKEN"], endpoint=os.environ["MODELSCOPE_ENDPOINT"])
    found = Path(api.download_repo(REPO, repo_type="model", local_dir=str(args.out)))
    wanted = {path.relative_to(args.model) for path in args.model.rglob("*") if path.is_file()}
    there = {path.relative_to(found) for path in found.rglob("*") if path.is_file() and ".msc" not in path.name}
    extra = {str(path) for path in there - wanted} - PLATFORM_FILES
    different = [str(path) for path in sorted(wanted & there) if not filecmp.cmp(args.model / path, found / path, shallow=False)]
    missing = sorted(str(path) for path in wanted - there)
    if different or missing:
        sys.exit(f"NOT EQUAL: different {different}, missing {missing}")
    total = sum((args.model / path).stat().st_size for path in wanted)
    print(f"equal: {len(wanted)} files, {total:,} bytes, byte for byte" + (f" (besides: {sorted(extra)})" if extra else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["environment", "modal", "upload", "compare"])
    parser.add_argument("--ready", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    {"environment": environment, "modal": modal, "upload": upload, "compare": compare}[args.step](args)


if __name__ == "__main__":
    main()
