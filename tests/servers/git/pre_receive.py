#!/usr/bin/env python3
"""Refuses what GitLab refuses, in its words: other refs than branches and tags, forced pushes to protected branches, and
pointers whose LFS object is not there. As there, one refusal refuses the whole push."""

import os
import re
import subprocess
import sys

NOTHING = "0" * 40
POINTER = re.compile(rb"\Aversion https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize \d+\n\Z")


def git(*args, stdin=None):
    return subprocess.run(["git", *args], input=stdin, stdout=subprocess.PIPE, check=False)


def refuse(words):
    print(f"GitLab: {words}")
    sys.exit(1)


def missing(new):
    """LFS objects that the new commits name and the store lacks."""
    told = git("rev-list", "--objects", new, "--not", "--all").stdout.split(b"\n")
    ids = b"\n".join(line.split(b" ")[0] for line in told if line) + b"\n"
    sizes = git("cat-file", "--batch-check", stdin=ids).stdout.split(b"\n")
    small = [line.split() for line in sizes if b" blob " in line]
    repo = os.path.relpath(os.getcwd(), os.environ["HOME"]).removesuffix(".git")
    for oid, _, size in small:
        if int(size) > 1024:
            continue
        found = POINTER.match(git("cat-file", "blob", oid.decode()).stdout)
        if found and not os.path.exists(os.path.join(os.environ["FORGE_LFS"], repo, found[1].decode())):
            return True
    return False


protected = git("config", "--get-all", "forge.protected").stdout.decode().split()
for line in sys.stdin:
    old, new, ref = line.split()
    if not ref.startswith(("refs/heads/", "refs/tags/")):
        refuse("You can only push to branches and tags.")
    if ref.removeprefix("refs/heads/") in protected and NOTHING not in (old, new):
        if git("merge-base", "--is-ancestor", old, new).returncode:
            refuse("You are not allowed to force push code to a protected branch on this project.")
    if new != NOTHING and (missing(new) or os.environ.get("FORGE_LATE")):
        refuse('LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".')
