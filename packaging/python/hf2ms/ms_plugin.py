"""`ms migrate ..`: `hf2ms migrate` as a command of ModelScope's own client, with the login of that client.

The contract is that of modelscope-hub 0.5.1 (cli/main.py, cli/base.py): an entry point of the group `modelscope_hub.cli_plugins`
names a class with `register` and `execute`.
"""

from __future__ import annotations

import argparse
import os
import sys
from urllib.parse import urlsplit

from modelscope_hub.cli.base import CLICommand
from modelscope_hub.config import HubConfig

from hf2ms.__main__ import main as start

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
        verbose = ["--verbose"] if getattr(self.args, "verbose", False) else []
        os.environ.update(variables(self.args))
        sys.argv = ["hf2ms", *verbose, "migrate", *self.args.arguments]
        sys.stdout.flush()
        sys.stderr.flush()
        # This process becomes hf2ms: signals and the exit code are that program's.
        start()


def variables(args: argparse.Namespace) -> dict[str, str]:
    """Variables for the endpoint and the token that the client would use."""
    found = {}
    if args.endpoint:
        found["MODELSCOPE_ENDPOINT"] = HubConfig.normalize_endpoint(args.endpoint)
    if args.token is not None:
        found["MODELSCOPE_TOKEN"] = args.token
    elif not any(name in os.environ for name in TOKENS):
        login = HubConfig(endpoint=args.endpoint)
        if token := token_of(login):
            # Both together: the token of a login goes to the site that it is of, and to no other.
            found = {"MODELSCOPE_TOKEN": token, "MODELSCOPE_ENDPOINT": login.endpoint}
    return found


def token_of(login: HubConfig) -> str | None:
    """The token that `ms login` keeps, if it was given by the site that is used."""
    host = urlsplit(login.endpoint).hostname
    cookies = login.load_cookies() or ()
    return next((cookie.value for cookie in cookies if cookie.name == COOKIE and cookie.domain == host), None)
