"""`python tests/servers/modal/serve.py [--hurry N] [--scaledown SECONDS]`: the loopback Modal until standard input closes. Its
one line of output says where it is, {"url", "admin", "token_id", "token_secret"}; its log goes to stderr."""

import argparse
import asyncio
import json
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from servers.modal.plane import serve_until  # noqa: E402


def wait_for_end(loop, stop):
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stop)


async def main(options):
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def stop():
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    threading.Thread(target=wait_for_end, args=(loop, stop), daemon=True).start()
    await serve_until(stopped, lambda told: print(json.dumps(told), flush=True), **vars(options))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hurry", type=float, default=1.0, help="retries follow this much faster than told")
    parser.add_argument("--scaledown", type=float, default=5.0, help="seconds that an idle container is kept")
    asyncio.run(main(parser.parse_args()))
