"""The loopback Modal: a control plane on 127.0.0.1 that the unmodified SDK talks to and that really runs what is
deployed, in processes of this machine. What it answers is in the rooms: apps, calls, containers, logs, blobs.

Beside gRPC it serves HTTP: blobs, and an admin that tells what is going on (GET /state, /functions, /requests) and breaks things
(POST /faults, /act; DELETE /faults)."""

import collections
import pathlib
import shutil
import tempfile

from aiohttp import web
from servers.modal.apps import Apps
from servers.modal.blobs import Blobs
from servers.modal.calls import Calls
from servers.modal.containers import Containers
from servers.modal.faults import Faults
from google.protobuf.json_format import MessageToDict
from grpclib import Status
from servers.modal.logs import Logs
from servers.modal.wire import refuse, serve

TOKEN_ID, TOKEN_SECRET = "ak-loopback", "as-loopback-secret"
# Requests that hold secrets by their nature; every other one is kept, so that tests can look for what should not be there.
SECRETIVE = {"SecretGetOrCreate"}
KEPT = 5000


class Plane:
    """All rooms, and the doors to them."""

    def __init__(self, folder, hurry=1.0, scaledown=5.0):
        """`hurry`: how much faster than told retries follow; `scaledown`: seconds that an idle container is kept."""
        self.faults, self.logs = Faults(), Logs()
        self.blobs = Blobs(pathlib.Path(folder, "blobs"))
        self.apps = Apps(self.blobs)
        self.calls = Calls(self.apps, self.faults, hurry)
        self.containers = Containers(self, pathlib.Path(folder, "tasks"), scaledown)
        self.calls.grown = self.containers.fit
        self.apps.stopped = self.stop_app
        self.rooms = [self.apps, self.calls, self.containers, self.logs, self.blobs]
        self.answers, self.counts, self.requests = {}, collections.Counter(), collections.deque(maxlen=KEPT)

    def admit(self, caller):
        """Lets containers in, and clients with the right tokens."""
        tokens = caller.metadata.get("x-modal-token-id"), caller.metadata.get("x-modal-token-secret")
        if not caller.task and tokens != (TOKEN_ID, TOKEN_SECRET):
            raise refuse(Status.UNAUTHENTICATED, "Token validation failed")

    def record(self, name, request):
        """Remembers what was asked."""
        self.counts[name] += 1
        if name not in SECRETIVE:
            self.requests.append((name, request.SerializeToString().decode("latin-1")))

    def stop_app(self, app):
        """Nothing of a stopped app goes on."""
        for call in self.calls.by_id.values():
            if call.function.app is app:
                self.calls.cancel(call, terminate=True)

    # The admin

    def routes(self):
        return [
            web.get("/state", self.state),
            web.get("/functions", self.functions),
            web.get("/requests", self.asked),
            web.post("/faults", self.break_it),
            web.delete("/faults", self.mend),
            web.post("/act", self.act),
        ]

    async def state(self, request):
        containers = [{"task": t.id, "function": t.function.name, "pid": t.pid, "idle": t.idle} for t in self.containers.tasks]
        return web.json_response(
            {
                "apps": [app.name for app in self.apps.apps.values() if self.apps.deployed(app.name) is app],
                "calls": [call.told() for call in self.calls.by_id.values()],
                "containers": containers,
                "started": self.containers.started,
                "peak": self.containers.peak,
                "requests": self.counts,
                "faults": self.faults.told(),
            }
        )

    async def functions(self, request):
        apps = [app for app in self.apps.apps.values() if app.functions]
        return web.json_response({app.name: [MessageToDict(f.definition) for f in app.functions.values()] for app in apps})

    async def asked(self, request):
        return web.json_response(list(self.requests))

    async def break_it(self, request):
        self.faults.add(await request.json())
        return web.json_response({})

    async def mend(self, request):
        self.faults.clear()
        return web.json_response({})

    async def act(self, request):
        """Something that happens now: {"do": "expire", "call"?} or {"do": "kill" | "preempt" | "freeze", "call"?}, where a
        missing `call` means all of them. Tells how many it happened to."""
        what = await request.json()
        calls = [call for call in self.calls.by_id.values() if what.get("call") in (None, call.id)]
        struck = 0
        for call in calls:
            if what["do"] == "expire":
                call.expired, struck = True, struck + 1
                call.changed.set()
            for task in list(call.tasks) if what["do"] != "expire" else ():
                task.strike(what["do"])
                struck += 1
        return web.json_response({"struck": struck})


async def serve_until(stopped, announce, **options):
    """Serves on free ports of 127.0.0.1 until `stopped` is done. `announce` is told the addresses and tokens."""
    folder = tempfile.mkdtemp(prefix="hf2ms-modal-")
    plane = Plane(folder, **options)
    http = web.AppRunner(_http(plane), access_log=None)
    grpc = serve(plane)
    try:
        await http.setup()
        site = web.TCPSite(http, "127.0.0.1", 0)
        await site.start()
        plane.blobs.base = "http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1]
        await grpc.start("127.0.0.1", 0)
        url = "http://127.0.0.1:%d" % grpc._server.sockets[0].getsockname()[1]
        announce({"url": url, "admin": plane.blobs.base, "token_id": TOKEN_ID, "token_secret": TOKEN_SECRET})
        await stopped
    finally:
        await plane.containers.close()
        grpc.close()
        await http.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _http(plane):
    app = web.Application(client_max_size=0)
    app.add_routes(plane.blobs.routes() + plane.routes())
    return app
