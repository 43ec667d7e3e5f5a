"""`hf`, to which a folder is the GitHub repository of an extension: its first argument. No request leaves this process."""

import re
import sys
from pathlib import Path

import httpx2
from huggingface_hub import set_client_factory
from huggingface_hub.cli.hf import main

FOLDER = Path(sys.argv.pop(1))
REPO = "someone/hf-hf2ms"


def answer(request):
    """What GitHub answers about REPO (huggingface_hub 2.4.0, cli/extensions.py, says what is asked)."""
    url = str(request.url)
    if raw := re.fullmatch(rf"https://raw\.githubusercontent\.com/{REPO}/HEAD/([\w.-]+)", url):
        path = FOLDER / raw[1]
        return httpx2.Response(200, content=path.read_bytes()) if path.is_file() else httpx2.Response(404)
    if url.startswith(f"https://github.com/{REPO}.git/info/refs"):
        return httpx2.Response(200, text=f"0000{'a' * 40} HEAD\0")
    return httpx2.Response(200 if url == f"https://github.com/{REPO}" else 404)


set_client_factory(lambda: httpx2.Client(transport=httpx2.MockTransport(answer)))
sys.argv[0] = "hf"
main()
