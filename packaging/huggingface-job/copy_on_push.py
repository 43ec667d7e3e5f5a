"""A Hugging Face Job that copies a repo, and a webhook that runs it again after every push.

    copy_on_push.py SOURCE DESTINATION --image IMAGE [--secret NAME].. [--flavor FLAVOR] [--timeout TIME] [--namespace NAME]

SOURCE is a model or dataset on Hugging Face: `org/name`, `hf:org/name`, `datasets/org/name` or its web address. The job is the first
copy, and the webhook starts jobs like it. Values of secrets come from variables of the same names. The login of huggingface_hub has to
permit jobs and webhooks. (huggingface_hub 2.4.0, hf_api.py: run_job, create_webhook.) Exit codes: 2 usage, 3 refused.
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError

# The program of the image: a command of a job stands in the place of the image's own.
WORKER = "/hf2ms-worker"
# Names of repos, as hf2ms-worker reads them (worker/src/repo_ref).
ID = r"\w[\w.-]*/\w[\w.-]*"
SOURCE = re.compile(rf"(?:(?:hf|huggingface):)?(?:(model|dataset)s/)?({ID})", re.ASCII)
DESTINATION = re.compile(rf"(?:(?:ms|modelscope|hf|huggingface):)?(?:(?:models|datasets)/)?(?:{ID}|\w[\w.-]*/)|(?:ms|modelscope):|https?://\S+", re.ASCII)


class Refusal(Exception):
    """A line for the user, and the exit code."""

    def __init__(self, line: str, code: int):
        super().__init__(line)
        self.code = code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="SOURCE", help="a model or dataset, as org/name, hf:org/name, datasets/org/name or its web address")
    parser.add_argument("destination", metavar="DESTINATION", help="ms:org/name, or what else hf2ms migrate takes")
    parser.add_argument("--image", required=True, help="where Hugging Face finds the worker's image")
    parser.add_argument("--secret", action="append", metavar="NAME", help="a variable that the job gets [default: MODELSCOPE_TOKEN]")
    parser.add_argument("--flavor", default="cpu-basic", help="the hardware of the job [default: cpu-basic]")
    parser.add_argument("--timeout", default="12h", help="when the job is ended [default: 12h]")
    parser.add_argument("--namespace", help="whose job it is [default: the login's]")
    return parser.parse_args()


def named(api: HfApi, source: str) -> tuple[str, str]:
    """The kind and the id that SOURCE names. Its kind is found out where it is not said, as hf2ms does it."""
    name = source
    for site in (api.endpoint, "https://huggingface.co", "https://hf.co"):
        name = name.removeprefix(f"{site}/")
    found = SOURCE.fullmatch(name.rstrip("/"))
    if not found:
        raise Refusal(f"{source} is no model or dataset on Hugging Face: expected org/name or datasets/org/name", 2)
    for kind in [found[1]] if found[1] else ["model", "dataset"]:
        if asked("the repo", lambda kind=kind: api.repo_exists(found[2], repo_type=kind)):
            return kind, found[2]
    raise Refusal(f"{source} was not found on Hugging Face: check the name, and that the login may see it", 3)


def asked(what: str, request, hint: str = ""):
    """The answer of Hugging Face; where it gives none or refuses `what`, that is said in one line."""
    try:
        return request()
    except (HTTPError, OSError) as error:
        raise Refusal(f"{what} can't be had of Hugging Face: {' '.join(str(error).split())}{hint}", 3) from error


def secrets_of(names: list[str]) -> dict[str, str]:
    if missing := [name for name in names if not os.environ.get(name)]:
        raise Refusal(f"{', '.join(missing)} is not set: the job needs it as a secret", 2)
    return {name: os.environ[name] for name in names}


def start(args: argparse.Namespace) -> None:
    """Starts the job and makes its webhook, once nothing about the inputs is known to be wrong."""
    if not DESTINATION.fullmatch(args.destination):
        raise Refusal(f"{args.destination} is no destination: expected ms:org/name", 2)
    secrets = secrets_of(args.secret or ["MODELSCOPE_TOKEN"])
    api = HfApi()
    kind, id = named(api, args.source)
    command = [WORKER, "migrate", f"hf:{kind}s/{id}", args.destination]
    options = dict(secrets=secrets, flavor=args.flavor, timeout=args.timeout, namespace=args.namespace)
    job = asked("the job", lambda: api.run_job(image=args.image, command=command, **options))
    print(f"the first copy runs: {job.url}", flush=True)
    watched = {"type": kind, "name": id}
    hint = f"; there is no webhook, and the first copy goes on: hf jobs cancel {job.owner.name}/{job.id} ends it"
    # A job's secrets are not those of the jobs that its webhook starts.
    webhook = asked("the webhook", lambda: api.create_webhook(job_id=job.id, watched=[watched], domains=["repo"], secrets=secrets), hint)
    print(f"webhook {webhook.id} copies after each push to {id}")


def main() -> int:
    try:
        start(arguments())
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return refusal.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
