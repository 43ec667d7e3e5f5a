"""A Hugging Face Job that copies a repo, and a webhook that runs it again after every push.

    copy_on_push.py SOURCE DESTINATION --image IMAGE [--secret NAME].. [--flavor FLAVOR] [--timeout TIME] [--namespace NAME]

SOURCE is `org/name` or `datasets/org/name` on Hugging Face. The job is the first copy, and the webhook starts jobs like it. Values of
secrets come from variables of the same names. The login of huggingface_hub has to permit jobs and webhooks. (huggingface_hub 2.4.0,
hf_api.py: run_job, create_webhook.)
"""

from __future__ import annotations

import argparse
import os
import sys

from huggingface_hub import HfApi

# The program of the image: a command of a job stands in the place of the image's own.
WORKER = "/hf2ms-worker"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="SOURCE", help="org/name or datasets/org/name")
    parser.add_argument("destination", metavar="DESTINATION", help="ms:org/name")
    parser.add_argument("--image", required=True, help="where Hugging Face finds the worker's image")
    parser.add_argument("--secret", action="append", metavar="NAME", help="a variable that the job gets [default: MODELSCOPE_TOKEN]")
    parser.add_argument("--flavor", default="cpu-basic", help="the hardware of the job [default: cpu-basic]")
    parser.add_argument("--timeout", default="12h", help="when the job is ended [default: 12h]")
    parser.add_argument("--namespace", help="whose job it is [default: the login's]")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    names = args.secret or ["MODELSCOPE_TOKEN"]
    if missing := [name for name in names if not os.environ.get(name)]:
        print(f"error: {', '.join(missing)} is not set: the job needs it as a secret", file=sys.stderr)
        return 2
    secrets = {name: os.environ[name] for name in names}
    is_dataset = args.source.startswith("datasets/")
    watched = {"type": "dataset" if is_dataset else "model", "name": args.source.removeprefix("datasets/")}
    api = HfApi()
    job = api.run_job(
        image=args.image,
        command=[WORKER, "migrate", f"hf:{args.source}", args.destination],
        secrets=secrets,
        flavor=args.flavor,
        timeout=args.timeout,
        namespace=args.namespace,
    )
    print(f"the first copy runs: {job.url}")
    # A job's secrets are not those of the jobs that its webhook starts.
    webhook = api.create_webhook(job_id=job.id, watched=[watched], domains=["repo"], secrets=secrets)
    print(f"webhook {webhook.id} copies after each push to {watched['name']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
