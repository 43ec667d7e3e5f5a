"""Requests that a test waits for at the Git host, and the answers that it gives instead of the host's own."""

BATCH, STORAGE = "/objects/batch", "/objects/storage/"
LFS_JSON = [("Content-Type", "application/vnd.git-lfs+json")]


def batch_of(name):
    return lambda seen: seen.path == f"/{name}.git/info/lfs/objects/batch"


def transfer_of(name, method):
    return lambda seen: seen.method == method and f"/{name}.git/info/lfs{STORAGE}" in seen.path


def answer(status, body=b"", headers=LFS_JSON):
    return lambda seen: (status, headers, body)


def first_pushed(world):
    return [seen for seen in world.host.seen if seen.path.endswith("/git-receive-pack")]
