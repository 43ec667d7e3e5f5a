"""Containers of the plane: processes that run the SDK's own container entrypoint, as many a function as it may have,
used for input after input and ended when there is nothing left to do."""

import asyncio
import ctypes
import os
import pathlib
import shutil
import signal
import sys

from servers.modal import logs
from google.protobuf.empty_pb2 import Empty
from grpclib import Status
from modal_proto import api_pb2
from servers.modal.wire import new_id, refuse, serve

# Starting one costs a third of a second of CPU: not more than this many at a time on this machine.
STARTING = 3
# A heartbeat that has no news is answered before the container gives it up (15 s).
HEARTBEAT = 14
# Seconds that a preempted container has to end, and that a frozen one may go without a heartbeat.
GRACE, UNHEARD = 15, 2
# With this the kernel kills a container whose plane dies.
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Task:
    """One container: its process, and the call it works on."""

    def __init__(self, containers, function):
        self.id = new_id("ta")
        self.containers, self.function = containers, function
        self.folder = pathlib.Path(containers.folder, self.id)
        self.process = self.server = self.call = self.last_call = None
        self.ready = self.idle = self.blameless = self.struck = False
        self.cancelled = asyncio.Queue()
        self.life = asyncio.ensure_future(self.live())

    @property
    def pid(self):
        return self.process.pid if self.process else None

    async def live(self):
        """From start to end. Whatever it was working on then goes to another."""
        try:
            await self.start()
            await asyncio.gather(self.listen(self.process.stdout, logs.STDOUT), self.listen(self.process.stderr, logs.STDERR))
            await self.process.wait()
        finally:
            if self.process and self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            if self.server:
                self.server.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.containers.gone(self)

    async def start(self):
        root = self.folder / "root"
        self.containers.apps.lay_out(self.function.definition, root)
        arguments, socket = self.folder / "arguments", self.folder / "socket"
        arguments.write_bytes(self.arguments().SerializeToString())
        self.server = serve(self.containers.plane, self)
        await self.server.start(path=str(socket))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            **self.containers.apps.environment(self.function.definition),
            "HOME": str(self.folder),
            "PYTHONPATH": str(root / "root"),
            "HF2MS_WORKER": str(root / "usr/local/bin/hf2ms-worker"),
            "MODAL_IS_REMOTE": "1",
            "MODAL_TASK_ID": self.id,
            "MODAL_SERVER_URL": f"unix://{socket}",
            "MODAL_CONTAINER_ARGUMENTS_PATH": str(arguments),
        }
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "modal._container_entrypoint"),
            env=environment,
            cwd=root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
            preexec_fn=_die_with_parent,
        )

    def arguments(self):
        function = self.function
        return api_pb2.ContainerArguments(
            task_id=self.id,
            function_id=function.id,
            app_id=function.app.id,
            function_def=function.definition,
            environment_name="main",
            app_layout=self.containers.apps.layout(function.app),
        )

    async def listen(self, pipe, source):
        while line := await pipe.readline():
            text = line.decode(errors="replace")
            working = self.call or self.last_call
            self.containers.logs.keep(self, working.id if working else "", source, text)
            if fault := self.containers.faults.take_line(self.function.name, text):
                self.strike(fault["do"])

    async def caught_up(self):
        """Returns when what was printed before now has been read. Refuses what a struck container still says."""
        for _ in range(10):
            await asyncio.sleep(0)
        if self.struck:
            raise refuse(Status.UNAVAILABLE, "a fault struck this container")

    async def take(self, next_for):
        """The next call, once there is one; None when it is time to end."""
        self.ready, self.call, self.idle = True, None, True
        self.containers.fit_all()
        call = await next_for(self, self.containers.scaledown)
        self.idle = False
        self.call = self.last_call = call
        return call

    def strike(self, how):
        """A fault: killed as by a crash, preempted, or frozen until nobody waits for it any more."""
        self.struck = True
        if how == "kill":
            self.signal(signal.SIGKILL)
        elif how == "preempt":
            self.interrupt()
        else:
            self.interrupt(signal.SIGSTOP, UNHEARD)

    def interrupt(self, number=signal.SIGINT, grace=GRACE):
        """Told something, and killed when that has not ended it in time. It is not to blame."""
        self.blameless = True
        self.signal(number)
        asyncio.get_running_loop().call_later(grace, self.signal, signal.SIGKILL)

    def signal(self, number):
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)

    def cancel_input(self, input_id):
        self.cancelled.put_nowait(input_id)


class Containers:
    """All containers, and the RPCs that they alone call."""

    def __init__(self, plane, folder, scaledown):
        self.plane, self.folder, self.scaledown = plane, pathlib.Path(folder), scaledown
        self.folder.mkdir()
        self.apps, self.calls, self.logs, self.faults = plane.apps, plane.calls, plane.logs, plane.faults
        self.tasks, self.started, self.peak, self.broken = set(), {}, {}, {}
        self.closing = False

    def of(self, function):
        return [task for task in self.tasks if task.function.id == function.id]

    def fit(self, function):
        """Starts what the queue needs and the limits allow."""
        tasks = self.of(function)
        at_most = function.definition.autoscaler_settings.max_containers or 1000
        useful = sum(1 for task in tasks if task.idle or not task.ready)
        while not self.closing and self.calls.queue(function).qsize() > useful and len(tasks) < at_most:
            if sum(1 for task in self.tasks if not task.ready) >= STARTING:
                return
            tasks.append(Task(self, function))
            self.tasks.add(tasks[-1])
            useful += 1
            self.started[function.name] = self.started.get(function.name, 0) + 1
            self.peak[function.name] = max(self.peak.get(function.name, 0), len(tasks))

    def gone(self, task):
        """A container has ended."""
        self.tasks.discard(task)
        if task.call:
            self.calls.crashed(task.call, task, task.blameless)
        self.fit_all()

    def fit_all(self):
        """There is room again."""
        for function in list(self.apps.functions.values()):
            if function.definition:
                self.fit(function)

    async def close(self):
        """Kills all and waits for them."""
        self.closing = True
        tasks = list(self.tasks)
        for task in tasks:
            task.signal(signal.SIGKILL)
            task.life.cancel()
        await asyncio.gather(*(task.life for task in tasks), return_exceptions=True)

    async def ContainerHello(self, request, caller):
        return Empty()

    async def ContainerHeartbeat(self, request, caller):
        if not caller.task:
            raise refuse(Status.PERMISSION_DENIED, "only containers have a heartbeat")
        answer = api_pb2.ContainerHeartbeatResponse()
        try:
            answer.cancel_input_event.input_ids.append(await asyncio.wait_for(caller.task.cancelled.get(), HEARTBEAT))
        except asyncio.TimeoutError:
            pass
        return answer

    async def TaskResult(self, request, caller):
        """A container that can't even import its function says so before it ends."""
        function = caller.task.function
        self.broken[function.id] = self.broken.get(function.id, 0) + 1
        if self.broken[function.id] >= 3:
            self.calls.fail_queued(function, request.result)
        return Empty()
