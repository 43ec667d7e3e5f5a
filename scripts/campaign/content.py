"""What the repos of a campaign hold: small files, blobs, copies of them, and names that programs stumble over."""

from __future__ import annotations

import base64
import hashlib

PLAIN = ["README.md", "config.json", "model.safetensors.index.json", "tokenizer.json", "merges.txt", "vocab/vocab.txt", "notes.md", "a/b/c/d/e.txt"]
ODD = [
    "with space.txt", "a+b.txt", "100%.txt", "%41.txt", "hash#tag.txt", "what?.txt", "semi;colon,comma.txt", "'quoted'.txt", "[brackets].txt",
    "amp&er=sand.txt", "~tilde.txt", "-dash.txt", ".hidden", "dots..txt", "Case.txt", "case.txt", "ünï/cödé.txt", "日本語/模型.txt", "emoji-🙂.txt",
    "cafe\u0301.txt", "caf\u00e9.txt", "long-" + "n" * 180 + ".txt", "folder.txt/inner.txt", "null.txt", "master", "main/main.txt",
]
SUFFIXES = [".safetensors", ".bin", ".parquet", ".gguf"]
LARGEST_BLOB = 300_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def text(rng) -> bytes:
    """A file outside LFS."""
    size = rng.choice([0, 1, rng.randrange(200), rng.randrange(6000)])
    return "".join(rng.choices("abcdefgh ijklmnop\nqrstu", k=size)).encode()


def blob(rng) -> bytes:
    """A file in LFS; an empty one is in none."""
    size = rng.choice([0, 1, rng.randrange(2000), rng.randrange(100_000), rng.randrange(100_000), rng.randrange(LARGEST_BLOB)])
    return rng.randbytes(size)


def drawn(rng) -> dict[str, bytes]:
    """The files of one commit, by path."""
    files = {path: text(rng) for path in rng.sample(PLAIN, rng.randrange(2, len(PLAIN)))}
    files |= {path: text(rng) for path in rng.sample(ODD, rng.randrange(6))}
    for number in range(rng.randrange(1, 9)):
        files[f"{rng.choice(['', 'weights/', 'data/x y/'])}{number:05}{rng.choice(SUFFIXES)}"] = blob(rng)
    for path in rng.sample(sorted(files), rng.randrange(3)):
        files[f"copies/{path.rsplit('/', 1)[-1]}"] = files[path]
    if rng.random() < 0.15:
        # 230 are more than a page.
        files |= {f"many/{number:03}.txt": f"{number}\n".encode() for number in range(rng.choice([40, 40, 230]))}
    return files


def changed(rng, files: dict[str, bytes]) -> dict[str, bytes]:
    """An older or newer state of the same files: some differ, some are absent."""
    other = dict(files)
    for path in rng.sample(sorted(files), min(len(files), rng.randrange(1, 6))):
        if rng.random() < 0.3:
            del other[path]
        else:
            other[path] = blob(rng) if path.endswith(tuple(SUFFIXES)) else text(rng) + b"."
    return other


def seeded(files: dict[str, bytes]) -> list[dict]:
    """The files as `POST /seed` takes them."""
    return [{"path": path, "base64": base64.b64encode(content).decode()} for path, content in files.items()]


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: sha256(content) for path, content in files.items()}
