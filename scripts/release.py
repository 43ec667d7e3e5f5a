"""What a release is made of, beside the programs.

    python3 scripts/release.py version          the version of the workspace
    python3 scripts/release.py notes            this version's part of CHANGELOG.md
    python3 scripts/release.py finish FOLDER    installer, Homebrew formula and checksums beside the packages in FOLDER
"""

import argparse
import hashlib
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKSUMS = "SHA256SUMS"


def of_workspace(field, root=ROOT):
    """A field of `[workspace.package]`."""
    found = re.search(rf'^{field} = "([^"]+)"', (root / "Cargo.toml").read_text(), re.MULTILINE)
    return found[1] if found else sys.exit(f"Cargo.toml has no {field}: write it into [workspace.package]")


def notes(version, root=ROOT):
    """The section of CHANGELOG.md about a version."""
    parts = re.split(r"^## +\[?([^\]\s]+)\]?.*\n", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2]))
    if not sections.get(version, "").strip():
        sys.exit(f"CHANGELOG.md says nothing of {version}: give the section Unreleased this name")
    return sections[version].strip() + "\n"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def formula(template, version, folder):
    """The Homebrew formula with the addresses and digests of the archives."""
    archives = {path.name.removeprefix("hf2ms-").removesuffix(".tar.gz"): path for path in folder.glob("hf2ms-*.tar.gz")}

    def value(found):
        name = found[1]
        known = {"version": version, "repository": of_workspace("repository")}
        if name in known:
            return known[name]
        return digest(archives[name]) if name in archives else sys.exit(f"hf2ms-{name}.tar.gz is not there: pack it with scripts/package.sh --target {name}")

    return re.sub(r"@([a-z0-9_-]+)@", value, template)


def finish(folder):
    shutil.copy(ROOT / "packaging/install.sh", folder)
    template = (ROOT / "packaging/homebrew/hf2ms.rb").read_text()
    (folder / "hf2ms.rb").write_text(formula(template, of_workspace("version"), folder))
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS)
    (folder / CHECKSUMS).write_text("".join(f"{digest(path)}  {path.name}\n" for path in files))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("version")
    steps.add_parser("notes")
    steps.add_parser("finish").add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.step == "finish":
        finish(args.folder)
    else:
        version = of_workspace("version")
        print(version if args.step == "version" else notes(version), end="\n" if args.step == "version" else "")


if __name__ == "__main__":
    main()
