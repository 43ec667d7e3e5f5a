"""Modal for hf2ms: JSON lines on standard input and output, spoken to Modal's official SDK. Requests are answered as
they are done, several at a time; standard output carries nothing else, and ends with standard input.

    {"id":1,"verb":"deploy","app":NAME,"worker":PATH,"containers":100,"cpu":[1,4],"memory":[512,1024],"finalizer":[256,4096],"variables":{..}}
    {"id":2,"verb":"submit","app":NAME,"function":NAME,"job":{..}}
    {"id":3,"verb":"poll","call":"fc-..","wait":50}
    {"id":4,"verb":"logs","app":NAME,"run":RUN,"follow":false}
    {"id":5,"verb":"cancel","call":"fc-..","terminate":true}
    {"id":6,"verb":"made","call":"fc-.."}
    {"id":7,"verb":"apps"}

Answers are {"id":N,"ok":{..}} or {"id":N,"error":{"kind":KIND,"message":LINE}}; `logs` says {"id":N,"line":{..}} before.
Tokens come from the environment and appear in none of this; `variables`, for the containers, may hold the login of a proxy."""

import asyncio
import datetime
import importlib
import json
import os
import re
import sys
import threading
import time

OLDEST = (1, 6)
# Modal asks to wait by itself when it is busy; longer than this it is the controller's turn to decide.
LONGEST_THROTTLE = "60"
SECRETS = (
    "MODAL_TOKEN_SECRET", "MODAL_TOKEN_ID", "HF_TOKEN", "HF_DESTINATION_TOKEN", "MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN",
    "MODELSCOPE_DESTINATION_TOKEN", "HF2MS_SOURCE_LOGIN", "HF2MS_TARGET_LOGIN",
)
# A longer request is held in memory several times over while it is sent on: only so many of these at a time.
BIG, BIG_AT_ONCE = 1 << 13, 4
# Modal keeps logs for a day; its clock may differ by some moments from the one here.
KEPT_LOGS, MOMENTS = datetime.timedelta(days=2), datetime.timedelta(minutes=2)
# The states of a call that has ended without a value, by the names of the SDK.
FAILED = ("FAILURE", "INIT_FAILURE", "TERMINATED", "TIMEOUT")
HERE = os.path.dirname(os.path.abspath(__file__))


class Out:
    """Standard output, kept for answers: whatever else is printed goes to standard error."""

    def __init__(self):
        self.file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def say(self, what):
        self.file.write(json.dumps(what, ensure_ascii=False, separators=(",", ":")) + "\n")
        self.file.flush()


class Refused(Exception):
    """A request that can't be served, of a kind that the controller knows."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Bridge:
    """The requests under way, and what is remembered between them."""

    def __init__(self, out):
        self.out = out
        self.functions = {}
        self.looking_up = asyncio.Lock()
        self.deploying = asyncio.Lock()
        self.verbs = {
            "deploy": self.deploy, "submit": self.submit, "poll": self.poll, "logs": self.logs, "cancel": self.cancel, "made": self.made,
            "apps": self.apps,
        }

    async def serve(self, requests):
        """Serves until the requests end; what is under way then is dropped."""
        tasks = set()
        async for line, done in requests:
            task = asyncio.ensure_future(self.answer(line))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _, done=done: done())
        for task in tasks:
            task.cancel()

    async def answer(self, line):
        request = {}
        try:
            request = json.loads(line)
            self.out.say({"id": request["id"], "ok": await self.verbs[request["verb"]](request)})
        except (ValueError, KeyError, TypeError) as error:
            self.refuse(request, "other", f"a malformed request: {type(error).__name__} {error}")
        except Refused as refused:
            self.refuse(request, refused.kind, str(refused))
        except Exception as error:
            self.refuse(request, *meaning(error))

    def refuse(self, request, kind, message):
        name = request.get("id") if isinstance(request, dict) else None
        self.out.say({"id": name, "error": {"kind": kind, "message": one_line(message)}})

    async def deploy(self, request):
        """Deploys the app unless one of its name stands already."""
        from modal.exception import NotFoundError

        name = request["app"]
        async with self.deploying:
            try:
                await self.function(name, "run_chunk")
                return {"app": name, "deployed": False}
            except NotFoundError:
                await load_app(request).deploy.aio(name=name)
                return {"app": name, "deployed": True}

    async def function(self, app, name):
        """A deployed function, looked up once."""
        import modal

        async with self.looking_up:
            if (app, name) not in self.functions:
                function = modal.Function.from_name(app, name)
                await function.hydrate.aio()
                self.functions[app, name] = function
            return self.functions[app, name]

    async def apps(self, request):
        """The names of hf2ms's apps that are deployed."""
        from modal.experimental import list_deployed_apps

        names = {app.name for app in await list_deployed_apps.aio()}
        return {"apps": sorted(name for name in names if name.startswith("hf2ms-"))}

    async def submit(self, request):
        function = await self.function(request["app"], request["function"])
        call = await function.spawn.aio(request["job"])
        return {"call": call.object_id}

    async def poll(self, request):
        """How a call stands, after `wait` seconds at most."""
        call, wait = call_of(request), request.get("wait", 0)
        began = time.monotonic()
        try:
            return {"state": "done", "result": await result_of(call, wait)}
        except Exception as error:
            return await state_of(call, error, has_waited=time.monotonic() - began >= wait)

    async def cancel(self, request):
        await call_of(request).cancel.aio(terminate_containers=request.get("terminate", False))
        return {}

    async def made(self, request):
        """The calls that a call has made, and how each stands, as far as Modal can tell."""
        graph = await call_of(request).get_call_graph.aio()
        while graph and request["call"] not in (one.function_call_id for one in graph):
            graph = [child for one in graph for child in one.children]
        made = [child for one in graph if one.function_call_id == request["call"] for child in one.children]
        return {"calls": [{"call": one.function_call_id, "state": one.status.name} for one in made]}

    async def logs(self, request):
        """Says the lines of a run: those it marked itself, and what else its calls printed."""
        lines = Lines(request["run"])
        async for entry in entries(request["app"], request.get("follow", False)):
            for line in lines.of(entry):
                self.out.say({"id": request["id"], "line": line})
        return {}


def load_app(request):
    """The app, with this request's settings. Its folder becomes the current one: Modal notes the Git commit of the
    folder that deploys, and the user's has nothing to do with it."""
    names = ("app", "containers", "cpu", "memory", "finalizer", "variables")
    settings = {name: request[name] for name in names if name in request}
    settings["worker"] = os.path.abspath(request["worker"])
    if not os.path.isfile(settings["worker"]):
        raise Refused("other", f"{settings['worker']} is not there: build the worker for Modal first")
    os.environ["HF2MS_MODAL_CONFIG"] = json.dumps(settings)
    os.chdir(HERE)
    sys.modules.pop("app", None)
    return importlib.import_module("app").app


def call_of(request):
    import modal

    if not request["call"].startswith("fc-"):
        raise Refused("not_found", f"{request['call']} is no call of Modal's: their ids begin with fc-")
    return modal.FunctionCall.from_id(request["call"])


async def result_of(call, seconds):
    """A call's result. Raises TimeoutError while there is none. Only a look without waiting tells at once that a result
    has expired: with a timeout, the SDK goes on asking until it is over."""
    try:
        return await call.get.aio(timeout=0)
    except TimeoutError:
        if not seconds:
            raise
    return await call.get.aio(timeout=seconds)


async def state_of(call, error, has_waited):
    """How a call stands whose result can't be had because of this error. Raises what comes from talking to Modal.

    What the function raised comes by its own type, an OSError or a TimeoutError say, and looks like an error of the talk with Modal.
    Then Modal is asked whether the call has failed."""
    import modal

    if isinstance(error, modal.exception.OutputExpiredError):
        return {"state": "expired"}
    if isinstance(error, modal.exception.FunctionTimeoutError):
        return {"state": "failed", "error": one_line(f"timed out: run the same command again ({error})")}
    if isinstance(error, TimeoutError) and not error.args and has_waited:
        return {"state": "pending"}
    if isinstance(error, modal.exception.RemoteError):
        cancelled = await status_of(call) == "TERMINATED"
        return {"state": "cancelled"} if cancelled else {"state": "failed", "error": one_line(error)}
    if not is_about_modal(error):
        return {"state": "failed", "error": one_line(error)}
    if await status_of(call) in FAILED:
        return {"state": "failed", "error": one_line(f"{type(error).__name__}: {error}")}
    if isinstance(error, TimeoutError):
        return {"state": "pending"}
    raise error


async def status_of(call):
    """How a call stands by Modal's graph of calls; None where Modal does not tell."""
    try:
        graph = await call.get_call_graph.aio()
    except Exception:
        return None
    return next((one.status.name for one in graph if one.function_call_id == call.object_id), None)


async def entries(name, follow):
    """The app's log: what is there, then, if asked to follow, what comes. The stream is opened first, so that nothing
    falls in between; what both tell is said once."""
    import modal

    app = await modal.App.lookup.aio(name)
    coming = asyncio.Queue()
    pump = asyncio.ensure_future(collect(app.logs.stream.aio(), coming)) if follow else None
    await asyncio.sleep(0)
    now = datetime.datetime.now(datetime.timezone.utc)
    seen = set()
    try:
        async for entry in app.logs.fetch.aio(since=now - KEPT_LOGS, until=now + MOMENTS):
            if follow and entry.timestamp > now - MOMENTS:
                seen.add(hash((entry.timestamp, entry.message)))
            yield entry
        while follow and (entry := await coming.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            if hash((entry.timestamp, entry.message)) not in seen:
                yield entry
    finally:
        if pump:
            pump.cancel()


async def collect(stream, queue):
    try:
        async for entry in stream:
            queue.put_nowait(entry)
        queue.put_nowait(None)
    except Exception as error:
        queue.put_nowait(error)


class Lines:
    """Picks a run's lines out of an app's log entries, which may hold several lines, or parts."""

    def __init__(self, run):
        self.run = run
        self.calls = set()
        self.parts = {}

    def of(self, entry):
        """The lines that this entry completes."""
        place = (entry.source, *entry.context_ids)
        whole = self.parts.pop(place, "") + entry.message
        *lines, rest = whole.split("\n")
        if rest:
            self.parts[place] = rest
        calls = {name for name in entry.context_ids if name.startswith("fc-")}
        for line in filter(None, lines):
            if (said := parsed(line)) and said.get("run") == self.run:
                self.calls |= calls
                yield said
            elif not (said and "run" in said) and self.calls & calls:
                yield {"text": clean(line)}


def parsed(line):
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def is_about_modal(error):
    """Whether this comes from talking to Modal, not from the function that was called."""
    import grpclib
    from modal.exception import AuthError, ClientClosed, ConnectionError, InvalidError

    return isinstance(error, (grpclib.GRPCError, OSError, AuthError, ClientClosed, ConnectionError, InvalidError))


def meaning(error):
    """The kind and the words of an error."""
    import modal.exception as modals
    from grpclib import Status

    status = getattr(error, "_grpc_status", None)
    if isinstance(error, modals.AuthError) and status is None:
        return "unauthorized", "MODAL_TOKEN_ID and MODAL_TOKEN_SECRET are not set, and there is no ~/.modal.toml"
    if isinstance(error, (modals.AuthError, modals.PermissionDeniedError)):
        return "unauthorized", f"Modal says: {error}"
    if isinstance(error, modals.ResourceExhaustedError) and "spend limit" in str(error):
        return "spent", f"Modal says: {error}"
    if isinstance(error, modals.ResourceExhaustedError):
        hinted = any(hasattr(detail, "retry_after_secs") for detail in getattr(error, "_grpc_details", None) or ())
        return ("busy" if hinted else "quota"), f"Modal has no room: {error}"
    if isinstance(error, modals.NotFoundError):
        return "not_found", str(error)
    away = status in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED)
    if away or isinstance(error, (modals.ConnectionError, modals.ClientClosed, OSError)):
        return "unreachable", f"Modal can't be reached: {error}"
    return "other", f"{type(error).__name__}: {error}"


def one_line(message):
    """Words for one line, without secrets and without the signatures of addresses."""
    text = re.sub(r"\?\S+", "?..", clean(str(message)))
    return " ".join(text.split())[:1000] or "no reason given"


def clean(text):
    for name in SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return text


def version():
    """The SDK's version. Raises Refused where there is none that would do."""
    try:
        import modal

        found = modal.__version__
    except (ImportError, AttributeError) as error:
        raise Refused("missing", f"Python's package modal can't be loaded by {sys.executable} ({error})") from None
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < OLDEST:
        raise Refused("missing", f"Python's package modal is {found}, too old")
    return found


class Requests:
    """The lines of standard input, whatever that is, read by a thread; each comes with what to call when it is done."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.lines = asyncio.Queue()
        self.room = threading.Semaphore(BIG_AT_ONCE)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in sys.stdin.buffer:
            big = len(line) > BIG
            if big:
                self.room.acquire()
            self.loop.call_soon_threadsafe(self.lines.put_nowait, (line, self.room.release if big else lambda: None))
            del line
        self.loop.call_soon_threadsafe(self.lines.put_nowait, None)

    async def __aiter__(self):
        while (request := await self.lines.get()) is not None:
            yield request


async def main(out):
    await Bridge(out).serve(Requests())


def begin():
    out = Out()
    os.environ.setdefault("MODAL_MAX_THROTTLE_WAIT", LONGEST_THROTTLE)
    try:
        found = version()
    except Refused as refused:
        out.say({"error": {"kind": refused.kind, "message": str(refused)}})
        return 1
    out.say({"ready": {"modal": found, "python": ".".join(map(str, sys.version_info[:3]))}})
    asyncio.run(main(out))
    return 0


if __name__ == "__main__":
    sys.exit(begin())
