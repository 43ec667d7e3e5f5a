"""Puts the programs of the folder `bin` into the wheel, which is for the platforms that HF2MS_PLATFORM names."""

import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Programs(BuildHookInterface):
    def initialize(self, version, build_data):
        programs = sorted((Path(self.root) / "bin").iterdir())
        build_data["shared_scripts"] = {str(program): program.name for program in programs}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['HF2MS_PLATFORM']}"
