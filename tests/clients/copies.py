"""Folders of files, and how the official clients upload and download them."""

import contextlib

from huggingface_hub import HfApi, snapshot_download
from modelscope_hub import HubApi

TREE = {
    "README.md": "---\nlicense: mit\n---\n# hello\n",
    "config.json": '{"a": 1}',
    "empty.txt": "",
    "weights/model.safetensors": 3_000_000,
    "weights/twin.safetensors": 3_000_000,
    "data/ünï cödé & more.txt": "text",
    "deep/er/still/notes.txt": "notes" * 1000,
    "deep/large.txt": 200_000,
    "picture.png": 40_000,
}


def make_files(root, files):
    """Writes files under `root`; a number stands for so many bytes."""
    for path, content in files.items():
        if isinstance(content, int):
            content = (path.encode() + bytes(range(256))) * (content // 256 + 1)
            content = content[: files[path]]
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def read_files(root):
    """Content by path of all files under `root`, without the clients' own."""
    files = (p for p in root.rglob("*") if p.is_file())
    named = {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
    return {path: content for path, content in named.items() if not path.startswith((".cache", "._", ".m"))}


def up_to_modelscope(sandbox, folder, id, kind):
    api = HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice)
    api.create_repo(id, kind, visibility="public")
    api.upload_folder(repo_id=id, repo_type=kind, folder_path=folder, commit_message="all")


@contextlib.contextmanager
def binaries_anywhere(sandbox):
    """Hugging Face refuses small binary files that its client keeps outside LFS; not meanwhile."""
    sandbox.post("/settings", hf_refuses_binary=False)
    yield
    sandbox.post("/settings", hf_refuses_binary=True)


def up_to_hugging_face(sandbox, folder, id, kind):
    api = HfApi(endpoint=sandbox.hf, token=sandbox.hf_alice)
    api.create_repo(id, repo_type=kind)
    with binaries_anywhere(sandbox):
        api.upload_folder(repo_id=id, repo_type=kind, folder_path=folder)


def from_hugging_face(sandbox, id, kind, to):
    snapshot_download(id, repo_type=kind, endpoint=sandbox.hf, token=sandbox.hf_alice, local_dir=to, max_workers=4)
    return read_files(to)


def from_modelscope(sandbox, id, kind, to):
    HubApi(endpoint=sandbox.ms, token=sandbox.ms_alice).download_repo(id, kind, local_dir=to)
    return read_files(to)


def arrived(came, folder):
    """The files of `folder`, as they arrived."""
    sent = read_files(folder)
    assert {path: came.get(path) for path in sent} == sent
