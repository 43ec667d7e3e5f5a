"""The Modal app: workers in containers. Deployed once by bridge.py (or `modal deploy`) and imported again in each
container, where it finds no local files: what it needs from the deployer is read only when `modal.is_local()`."""

import asyncio
import collections
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import modal

WORKER = "/usr/local/bin/hf2ms-worker"
# What containers get from the deployer's environment: tokens, and how patient to be.
TOKENS = (
    "HF_TOKEN", "HF_DESTINATION_TOKEN", "MODELSCOPE_TOKEN", "MODELSCOPE_DESTINATION_TOKEN", "HF2MS_SOURCE_LOGIN", "HF2MS_TARGET_LOGIN",
)
PATIENCE = ("HF2MS_STALL", "HF2MS_RETRY_BASE", "HF2MS_LONGEST_WAIT", "HF2MS_LOG", "HF2MS_MODAL_TIMEOUT")
# The proxies by which containers reach the hubs: only those that they can reach, the deployer decides. A password may be in them.
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
# Seconds that Modal lets one attempt last: the longest that it allows, unless tests say otherwise.
TIMEOUT = int(os.environ.get("HF2MS_MODAL_TIMEOUT") or 86400)
# What is worth a line in Modal's log as it happens; progress is said every PROGRESS seconds.
SAID = ("started", "retry", "rate_limited", "paused", "pause_ended", "failed", "backup_tag", "committed", "verified", "scanned", "planned", "pushed")
PROGRESS = 10
# Preemption leaves 30 seconds: a worker gets this long to stop by itself, and half of it more when told to.
GRACE = 10
# Calls that `finalize` waits for at a time. With more of them each gets a shorter look, in turns.
LOOKS = 64


def deployer(name, default):
    """A setting of the deployer's; in a container, where only the shape of the app matters, its default."""
    settings = json.loads(os.environ.get("HF2MS_MODAL_CONFIG") or "{}") if modal.is_local() else {}
    return settings.get(name, default)


def environment():
    """The variables that containers get: those that are set, and what the deployer says of the network."""
    found = {name: os.environ.get(name) for name in TOKENS + PATIENCE} if modal.is_local() else {}
    return {name: value for name, value in found.items() if value} | deployer("variables", {})


app = modal.App(deployer("app", "hf2ms"))
container = {
    "image": modal.Image.from_registry("debian:bookworm-slim", add_python="3.13").add_local_file(
        deployer("worker", WORKER), WORKER, copy=True
    ),
    "secrets": [modal.Secret.from_dict(environment())],
    "timeout": TIMEOUT,
}


@app.function(
    **container,
    cpu=tuple(deployer("cpu", (1, 4))),
    memory=tuple(deployer("memory", (512, 1024))),
    max_containers=deployer("containers", 100),
    retries=modal.Retries(max_retries=2, initial_delay=2.0),
)
def run_chunk(job: dict) -> dict:
    """Moves one chunk's blobs. Returns the worker's envelope; raises WorkerDied for what another try may mend."""
    with Attempt():
        voice = Voice(run=job["run"], chunk=job["chunk"])
        envelope = attend(["run", "--attached"], voice, job)
        voice.say({"event": "ended", "exit": envelope["exit"]})
        return envelope


@app.function(
    **container,
    cpu=0.125,
    memory=tuple(deployer("finalizer", (256, 4096))),
    retries=modal.Retries(max_retries=5, initial_delay=2.0),
)
def finalize(job: dict) -> dict:
    """Waits for all chunks' calls, then commits and verifies what they and the job's own receipts say is stored: by the worker's
    `finalize`, or by the verb that the job names. Returns the worker's envelope and, as `chunks`, theirs. Idempotent: a preempted one
    starts again and finds what was done."""
    with Attempt():
        chunks = asyncio.run(Gathering(job["calls"]).all())
        work = {**job["job"], "receipts": job["job"].get("receipts", []) + receipts_of(chunks.values())}
        envelope = attend([job.get("verb", "finalize"), "--attached"], Voice(run=work["run"]), work)
        return {**envelope, "chunks": chunks}


@app.function(**container, cpu=(0.25, 4), memory=(512, 8192), retries=modal.Retries(max_retries=5, initial_delay=2.0))
def mirror(job: dict) -> dict:
    """Mirrors a Git repo: scans it, has its LFS objects copied by calls of `run_chunk`, and pushes its refs. What moves and
    what is pushed the scan says. Returns the last worker's envelope with what both said; as `chunks` those of the calls, and as
    `before` those of an earlier try's. Idempotent: a preempted one waits for the calls that it had made, then looks anew."""
    with Attempt() as attempt:
        voice = Voice(run=job["run"])
        before = list(see_through(attempt, Gathering(made_before())).values())
        scan = attend(["scan", "--attached"], voice, job)
        steps = last(scan, "steps")
        scan["events"] = [event for event in scan["events"] if event["event"] != "steps"]
        if not steps:
            return {**scan, "chunks": {}, "before": before}
        chunks = see_through(attempt, Gathering({}), steps["chunks"])
        if not steps["push"]:
            return {**scan, "chunks": chunks, "before": before}
        push = attend(["push", "--attached"], voice, {**steps["push"], "receipts": receipts_of(chunks.values())})
        said = [event for event in scan["events"] if event["event"] != "receipt"]
        return {**push, "events": said + push["events"], "chunks": chunks, "before": before}


@app.function(**{**container, "timeout": 300}, cpu=0.125, memory=(128, 512))
def check(endpoints: list) -> dict:
    """Starts a worker that says its version and whether the endpoints answer from here."""
    with Attempt():
        return attend(["check", *endpoints], Voice())


class WorkerDied(Exception):
    """A worker ended without a word on what it did: Modal gives the chunk to another container."""


class Broken(Exception):
    """Whatever else ends an attempt, in words: by its own type, an OSError say, it would look like the trouble of whoever asks
    Modal for the result."""


class Attempt:
    """One attempt of a call. Modal raises the same for a timeout as for its user's cancel: the clock tells them apart."""

    def __enter__(self):
        # Modal counts from before its container is ready: 8 s earlier was seen.
        self.timeout_at = time.monotonic() + TIMEOUT - min(60, TIMEOUT / 4)
        return self

    def is_timed_out(self):
        return time.monotonic() >= self.timeout_at

    def __exit__(self, kind, error, _):
        if isinstance(error, modal.exception.InputCancellation) and self.is_timed_out():
            raise Broken(f"timed out after {TIMEOUT} s: run the same command again, and what is stored is not sent again") from None
        if isinstance(error, Exception) and not isinstance(error, WorkerDied):
            raise Broken(clean(f"{kind.__name__}: {error}")) from error


class Voice:
    """What a worker says, as it goes to Modal's log: one JSON line each, marked with the run and the chunk."""

    def __init__(self, **mark):
        self.mark = mark
        self.said_at = 0.0
        self.unsaid = None

    def event(self, event):
        """Says an event now, later, or never."""
        if event["event"] == "progress":
            self.unsaid = event
            if time.monotonic() - self.said_at >= PROGRESS:
                self.catch_up()
        elif event["event"] in SAID:
            self.catch_up()
            # A list is counted: the log is for people.
            self.say({key: len(value) if isinstance(value, list) else value for key, value in event.items() if key != "chunk"})

    def catch_up(self):
        """Says the last progress, if it was not said."""
        event, self.unsaid = self.unsaid, None
        if event:
            self.said_at = time.monotonic()
            self.say(event)

    def log(self, line):
        """Says a line of the worker's log."""
        self.say({"log": line})

    def say(self, what):
        # One write a line: the log's thread speaks at the same time.
        sys.stdout.write(json.dumps({**what, **self.mark}, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def attend(arguments, voice, job=None):
    """Runs a worker to its end. Returns {"exit", "events", "log"}: its exit code, its events but progress and files,
    and the end of its log. Whatever interrupts this stops the worker first."""
    worker = start(arguments, job is not None)
    log = Log(worker.stderr, voice)
    events = []
    try:
        give(worker, job)
        for line in worker.stdout:
            if event := heard(line, voice):
                events.append(event)
            if is_last(event):
                break
        exit_code = end(worker)
    except BaseException:
        # Cancelled by its user, preempted, or out of time: Modal decides what comes next.
        stop(worker)
        raise
    voice.catch_up()
    return judge(exit_code, events, log.end())


def start(arguments, attached):
    """A worker in a session of its own, so that a signal to the container's group does not overtake its lifeline."""
    return subprocess.Popen(
        [os.environ.get("HF2MS_WORKER") or WORKER, *arguments],
        stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def give(worker, job):
    """Gives the job as the first line. The line stays open: its end would tell the worker to stop."""
    if job is None:
        return
    try:
        worker.stdin.write(json.dumps(job) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        # It died early: its exit code says more.
        pass


def heard(line, voice):
    """Passes an event on to the log; returns it if it belongs into the envelope."""
    try:
        # A worker's words are clean, and its data is parsed: a token may be a name there.
        event = json.loads(line)
        name = event["event"]
    except (ValueError, TypeError, KeyError):
        return None
    voice.event(event)
    return None if name in ("progress", "file") else event


def is_last(event):
    return event is not None and event["event"] in ("receipt", "checked")


def end(worker):
    """Waits for a worker that has said its last word; returns its exit code."""
    close(worker)
    try:
        return worker.wait(GRACE)
    except subprocess.TimeoutExpired:
        worker.kill()
        return worker.wait()


def stop(worker):
    """Cuts the lifeline, and ends what does not end by itself."""
    try:
        close(worker)
        # A worker that can't say its receipt would not end.
        threading.Thread(target=drain, args=(worker.stdout,), daemon=True).start()
        for send in (worker.terminate, worker.kill):
            try:
                worker.wait(GRACE if send == worker.terminate else GRACE / 2)
                break
            except subprocess.TimeoutExpired:
                send()
    finally:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def close(worker):
    if worker.stdin:
        try:
            worker.stdin.close()
        except BrokenPipeError:
            pass


def drain(pipe):
    try:
        while pipe.read(65536):
            pass
    except ValueError:
        pass


def judge(exit_code, events, log):
    """The envelope of a worker that has done what it could, or can't do this at all.

    Raises WorkerDied for one that was killed or interrupted: another may do better."""
    complete = bool(events) and is_last(events[-1])
    if (complete and 0 <= exit_code <= 4) or exit_code in (2, 3):
        return {"exit": exit_code, "events": events, "log": log}
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with code {exit_code} and no receipt"
    failed = [event["error"] for event in events if event["event"] == "failed" and not event.get("path")]
    why = failed[-1] if failed else log.rpartition("\n")[2]
    raise WorkerDied(f"the worker {how}: {why}" if why else f"the worker {how}")


def last(envelope, name):
    """The last event of this name in an envelope, if there is one."""
    return next((event for event in reversed(envelope.get("events", ())) if event["event"] == name), None)


def receipts_of(envelopes):
    """The receipts' bodies in these envelopes."""
    receipts = [receipt for envelope in envelopes if (receipt := last(envelope, "receipt"))]
    return [{key: value for key, value in receipt.items() if key != "event"} for receipt in receipts]


def clean(text):
    """`text` without the container's tokens, and without the passwords of its logins (user:password) and its proxies. Workers say
    none; what kills one might."""
    tokens = {name: os.environ.get(name, "") for name in TOKENS}
    secrets = [token.partition(":")[2] if name.endswith("_LOGIN") else token for name, token in tokens.items()]
    secrets += [os.environ.get(name, "").rpartition("@")[0].rpartition("//")[2].partition(":")[2] for name in PROXIES]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


class Log:
    """A worker's stderr: each line goes to Modal's log, the last ones are kept."""

    def __init__(self, pipe, voice):
        self.lines = collections.deque(maxlen=20)
        self.thread = threading.Thread(target=self.follow, args=(pipe, voice), daemon=True)
        self.thread.start()

    def follow(self, pipe, voice):
        for line in pipe:
            line = clean(line.rstrip("\n"))[:2000]
            self.lines.append(line)
            voice.log(line)

    def end(self):
        """The last lines. What the worker left behind may hold the pipe open: not waited for."""
        self.thread.join(GRACE)
        return "\n".join(self.lines)


def see_through(attempt, gathering, chunks=()):
    """Makes a call of `run_chunk` for each of these, and waits for all. They end with whoever waits, if its user ends it."""
    try:
        return asyncio.run(gathering.all(chunks))
    except modal.exception.InputCancellation:
        # Preemption looks otherwise; that and a timeout leave them to the next try.
        if not attempt.is_timed_out():
            asyncio.run(gathering.cancel_others())
        raise


def made_before():
    """The calls that an earlier try of this call has made, as far as Modal can tell: one that it forgets is made again, and
    what is copied twice does no harm."""
    own = modal.current_function_call_id()
    try:
        graph = modal.FunctionCall.from_id(own).get_call_graph()
    except Exception as error:
        print(f"Modal does not tell which calls were made before: {clean(str(error))}", file=sys.stderr)
        return {}
    while graph and own not in (one.function_call_id for one in graph):
        graph = [child for one in graph for child in one.children]
    made = [child.function_call_id for one in graph if one.function_call_id == own for child in one.children]
    return {str(number): call for number, call in enumerate(made)}


class Gathering:
    """Waits for calls; the first refusal ends the others, since none of them could do better."""

    def __init__(self, calls):
        self.calls = dict(sorted(calls.items(), key=lambda item: int(item[0])))
        self.ended = {}
        self.refused = False

    async def all(self, chunks=()):
        """What each chunk's call came to: its envelope, or {"lost": why}. Calls for `chunks` are made first."""
        for start in range(0, len(chunks), LOOKS):
            await asyncio.gather(*(self.call(chunk) for chunk in chunks[start : start + LOOKS]))
        self.waiting = collections.deque(self.calls.items())
        await asyncio.gather(*(self.take_turns() for _ in range(min(LOOKS, len(self.calls)))))
        return {chunk: self.ended[chunk] for chunk in sorted(self.calls, key=int)}

    async def call(self, chunk):
        """Has another container move a chunk's blobs."""
        self.calls[str(chunk["chunk"])] = (await run_chunk.spawn.aio(chunk)).object_id

    async def take_turns(self):
        while self.waiting:
            chunk, call = self.waiting.popleft()
            outcome = await look(call, 50 if len(self.calls) - len(self.ended) <= LOOKS else 10)
            if outcome is None:
                self.waiting.append((chunk, call))
                continue
            self.ended[chunk] = outcome
            if outcome.get("exit") == 3 and not self.refused:
                self.refused = True
                await self.cancel_others()

    async def cancel_others(self):
        others = [call for chunk, call in self.calls.items() if chunk not in self.ended]
        await asyncio.gather(*(modal.FunctionCall.from_id(call).cancel.aio() for call in others), return_exceptions=True)


async def look(call, seconds):
    """A call's envelope, {"lost": why}, or None while it is under way.

    Raises what keeps Modal from answering: then all of this is tried again."""
    import grpclib

    result = modal.FunctionCall.from_id(call).get
    try:
        # Only a look without waiting tells at once that a result has expired.
        for wait in (0, seconds):
            with contextlib.suppress(TimeoutError):
                return await result.aio(timeout=wait)
        return None
    except modal.exception.OutputExpiredError:
        return {"lost": "its result has expired"}
    except modal.exception.FunctionTimeoutError as error:
        return {"lost": clean(str(error)) or "it timed out"}
    except modal.exception.NotFoundError:
        return {"lost": f"Modal knows no call {call}"}
    except (grpclib.GRPCError, modal.exception.ConnectionError):
        raise
    except modal.exception.RemoteError as error:
        return {"lost": clean(str(error)) or "it was cancelled"}
    except Exception as error:
        return {"lost": clean(str(error)) or type(error).__name__}
