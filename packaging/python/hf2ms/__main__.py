"""`python -m hf2ms`: starts the program of this package."""

import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

PACKAGE = "hf2ms-cli"
PROGRAM = "hf2ms.exe" if os.name == "nt" else "hf2ms"


def places():
    """Where the program may be: where the installer noted it, else in a folder of scripts."""
    try:
        installed = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError:
        installed = []
    yield from (Path(file.locate()).resolve() for file in installed if file.name == PROGRAM)
    scheme = sysconfig.get_preferred_scheme("user")
    for folder in (sysconfig.get_path("scripts"), sysconfig.get_path("scripts", scheme)):
        yield Path(folder, PROGRAM)
    # What `pip install --target` makes.
    yield Path(__file__).resolve().parent.parent / "bin" / PROGRAM


def main():
    program = next(filter(Path.is_file, places()), None)
    if program is None:
        sys.exit(f"the program {PROGRAM} is not there: install it again with pip install --force-reinstall {PACKAGE}")
    command = [str(program), *sys.argv[1:]]
    if os.name != "nt":
        os.execv(program, command)
    # Windows has no exec: its Ctrl-C reaches the program too, which ends in order.
    process = subprocess.Popen(command)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    main()
