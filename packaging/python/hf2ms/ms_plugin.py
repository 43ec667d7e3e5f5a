"""`ms migrate ..`: `hf2ms migrate` as a command of ModelScope's own client, with the login of that client.

The contract is that of modelscope-hub 0.5.1 (cli/main.py, cli/base.py): an entry point of the group `modelscope_hub.cli_plugins`
names a class with `register` and `execute`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from urllib.parse import urlsplit

from modelscope_hub.cli.base import CLICommand, error
from modelscope_hub.config import HubConfig

# The variables of hf2ms and of the client that hold a token of ModelScope.
TOKENS = ("MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN")
# The client keeps its token as this cookie.
COOKIE = "m_session_id"


class MigrateCommand(CLICommand):
    """Hands all arguments to `hf2ms migrate`."""

    name = "migrate"

    @staticmethod
    def register(subparsers) -> None:
        # No argument begins with NUL, so each is handed on as it is: options, `--help` and `--`.
        parser = subparsers.add_parser(
            "migrate",
            help="Copy a repo between Hugging Face and ModelScope (hf2ms migrate).",
            add_help=False,
            prefix_chars="\0",
        )
        parser.add_argument("arguments", nargs=argparse.REMAINDER)
        parser.set_defaults(_command=MigrateCommand)

    def execute(self) -> None:
        program = shutil.which("hf2ms", path=sysconfig.get_path("scripts")) or shutil.which("hf2ms")
        if program is None:
            error("hf2ms was not found beside this Python nor on the PATH: pip install --force-reinstall hf2ms-cli")
            raise SystemExit(2)
        verbose = ["--verbose"] if getattr(self.args, "verbose", False) else []
        replace([program, *verbose, "migrate", *self.args.arguments], variables(self.args))


def replace(command: list[str], environment: dict[str, str]) -> None:
    """Becomes another program, so that signals and the exit code are that program's."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    raise SystemExit(subprocess.call(command, env=environment))


def variables(args: argparse.Namespace) -> dict[str, str]:
    """The environment, with the endpoint and the token that the client would use."""
    environment = dict(os.environ)
    if args.endpoint:
        environment["MODELSCOPE_ENDPOINT"] = HubConfig.normalize_endpoint(args.endpoint)
    if args.token is not None:
        environment["MODELSCOPE_TOKEN"] = args.token
    elif not any(name in environment for name in TOKENS):
        login = HubConfig(endpoint=args.endpoint)
        if token := token_of(login):
            # Both together: the token of a login goes to the site that it is of, and to no other.
            environment |= {"MODELSCOPE_TOKEN": token, "MODELSCOPE_ENDPOINT": login.endpoint}
    return environment


def token_of(login: HubConfig) -> str | None:
    """The token that `ms login` keeps, if it was given by the site that is used."""
    host = urlsplit(login.endpoint).hostname
    cookies = login.load_cookies() or ()
    return next((cookie.value for cookie in cookies if cookie.name == COOKIE and cookie.domain == host), None)
