"""Puts the programs of the folder `bin` and the files of `share` into the wheel, which is for the platforms that HF2MS_PLATFORM names."""

import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Programs(BuildHookInterface):
    def initialize(self, version, build_data):
        programs = sorted((Path(self.root) / "bin").iterdir())
        build_data["shared_scripts"] = {str(program): program.name for program in programs}
        share = Path(self.root) / "share"
        build_data["shared_data"] = {str(file): file.relative_to(self.root).as_posix() for file in share.rglob("*") if file.is_file()}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['HF2MS_PLATFORM']}"
