"""Calls of the plane: each spawned input, from its queue through containers and retries to its result."""

import asyncio
import time

from google.protobuf.empty_pb2 import Empty
from grpclib import Status
from modal_proto import api_pb2
from servers.modal.wire import new_id, refuse

SUCCESS = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
FAILURE = api_pb2.GenericResult.GENERIC_STATUS_FAILURE
TERMINATED = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
TIMEOUT = api_pb2.GenericResult.GENERIC_STATUS_TIMEOUT
LOST = api_pb2.GenericResult.GENERIC_STATUS_INTERNAL_FAILURE
# Containers that may crash under one input before it is given up.
CRASHES = 8
# Seconds from one signal to the next for a container whose input has timed out: SIGUSR1, SIGINT, SIGKILL (seen at the real one).
BETWEEN_SIGNALS = 30


class Call:
    """One call, of one input."""

    def __init__(self, function, item, invocation, parent=None):
        self.id, self.input_id = new_id("fc"), new_id("in")
        # The call whose container made this one.
        self.parent = parent
        self.function, self.input, self.invocation = function, item.input, invocation
        self.retries = self.crashes = self.deliveries = 0
        self.tasks = set()
        self.result = None
        self.expired = self.timed_out = False
        self.changed = asyncio.Event()

    @property
    def status(self):
        return self.result.result.status if self.result else api_pb2.GenericResult.GENERIC_STATUS_UNSPECIFIED

    def settle(self, item):
        """Takes the first result; later ones, of a second delivery, change nothing."""
        if not self.result:
            self.result = item
            self.changed.set()

    def delivery(self):
        """What a container is given."""
        self.deliveries += 1
        return api_pb2.FunctionGetInputsItem(
            input_id=self.input_id,
            input=self.input,
            function_call_id=self.id,
            function_call_invocation_type=self.invocation,
            retry_count=self.retries,
        )

    def line(self):
        """This call and those that it comes from."""
        return [self, *(self.parent.line() if self.parent else [])]

    def told(self):
        """How the call stands, for whoever looks at the plane."""
        names = {0: "queued" if not self.tasks else "running", SUCCESS: "done", FAILURE: "failed", TERMINATED: "cancelled", LOST: "lost", TIMEOUT: "timed out"}
        told = {"call": self.id, "function": self.function.name, "state": names[self.status], "deliveries": self.deliveries}
        return {**told, "retries": self.retries, "crashes": self.crashes, "pids": [task.pid for task in self.tasks]}


class Calls:
    """All calls and the RPCs of both sides: clients that spawn and wait, containers that take and return."""

    def __init__(self, apps, faults, hurry):
        self.apps, self.faults, self.hurry = apps, faults, hurry
        self.by_id, self.by_input = {}, {}
        self.queues = {}
        # Told of a function whose queue grew.
        self.grown = lambda function: None

    def queue(self, function):
        """Calls that wait for a container of this function."""
        return self.queues.setdefault(function.id, asyncio.Queue())

    def enqueue(self, call):
        if not call.result:
            self.queue(call.function).put_nowait(call)
            self.grown(call.function)

    def call(self, call_id):
        if call := self.by_id.get(call_id):
            return call
        raise refuse(Status.NOT_FOUND, f"no function call {call_id}")

    # Clients

    async def FunctionMap(self, request, caller):
        parent = self.by_input.get(request.parent_input_id)
        call = Call(self.apps.function(request.function_id), request.pipelined_inputs[0], request.function_call_invocation_type, parent)
        self.by_id[call.id] = self.by_input[call.input_id] = call
        self.enqueue(call)
        item = api_pb2.FunctionPutInputsResponseItem(idx=0, input_id=call.input_id)
        return api_pb2.FunctionMapResponse(function_call_id=call.id, pipelined_inputs=[item])

    async def FunctionGetOutputs(self, request, caller):
        call = self.call(request.function_call_id)
        try:
            await asyncio.wait_for(call.changed.wait(), request.timeout)
        except asyncio.TimeoutError:
            pass
        if call.result and not call.expired:
            return api_pb2.FunctionGetOutputsResponse(outputs=[call.result], num_unfinished_inputs=0)
        return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=0 if call.expired else 1)

    async def FunctionCallFromId(self, request, caller):
        call = self.call(request.function_call_id)
        about = api_pb2.FunctionCallHandleMetadata(app_id=call.function.app.id, function_id=call.function.id)
        return api_pb2.FunctionCallFromIdResponse(function_call_id=call.id, num_inputs=1, metadata=about)

    async def FunctionGetCallGraph(self, request, caller):
        root = self.call(request.function_call_id)
        while root.parent:
            root = root.parent
        family = [call for call in self.by_id.values() if root in call.line()]
        inputs = [api_pb2.InputCallGraphInfo(input_id=c.input_id, function_call_id=c.id, status=c.status) for c in family]
        calls = [
            api_pb2.FunctionCallCallGraphInfo(
                function_call_id=c.id, function_name=c.function.name, parent_input_id=c.parent.input_id if c.parent else ""
            )
            for c in family
        ]
        return api_pb2.FunctionGetCallGraphResponse(inputs=inputs, function_calls=calls)

    async def FunctionCallCancel(self, request, caller):
        self.cancel(self.call(request.function_call_id), request.terminate_containers)
        return Empty()

    def cancel(self, call, terminate=False):
        """Ends a call without a retry; containers at it are told, or ended."""
        tasks = set() if call.result else set(call.tasks)
        call.settle(self._ended(call, TERMINATED, ""))
        for task in tasks:
            task.interrupt() if terminate else task.cancel_input(call.input_id)

    # Containers

    async def next_for(self, task, seconds):
        """The next call for a container, or None when there was none for so long."""
        queue, until = self.queue(task.function), time.monotonic() + seconds
        while True:
            try:
                call = await asyncio.wait_for(queue.get(), max(0, until - time.monotonic()))
            except asyncio.TimeoutError:
                return None
            if not call.result:
                return call

    async def FunctionGetInputs(self, request, caller):
        call = await caller.task.take(self.next_for)
        if not call:
            return api_pb2.FunctionGetInputsResponse(inputs=[api_pb2.FunctionGetInputsItem(kill_switch=True)])
        call.tasks.add(caller.task)
        asyncio.get_running_loop().call_later(call.function.definition.timeout_secs, self.time_out, call, caller.task)
        if self.faults.take("twice", call.function.name):
            self.enqueue(call)
        return api_pb2.FunctionGetInputsResponse(inputs=[call.delivery()])

    async def FunctionPutOutputs(self, request, caller):
        await caller.task.caught_up()
        for item in request.outputs:
            call = self.by_input[item.input_id]
            call.tasks.discard(caller.task)
            caller.task.call = None
            self._returned(call, item)
        return Empty()

    def time_out(self, call, task):
        """A container has had an input for too long. It is told as of a cancel, and no other gets the input."""
        if call.result or task not in call.tasks:
            return
        call.timed_out = True
        task.cancel_input(call.input_id)
        asyncio.get_running_loop().call_later(BETWEEN_SIGNALS, lambda: task in call.tasks and task.interrupt(grace=BETWEEN_SIGNALS))

    def _timed_out(self, call):
        seconds = call.function.definition.timeout_secs
        call.settle(self._ended(call, TIMEOUT, f"Task's current input {call.input_id} hit its timeout of {seconds}s"))

    def _returned(self, call, item):
        if call.timed_out:
            return self._timed_out(call)
        policy = call.function.definition.retry_policy
        if item.result.status == FAILURE and call.retries < policy.retries and not call.result:
            pause = policy.initial_delay_ms / 1000 * policy.backoff_coefficient**call.retries
            call.retries += 1
            asyncio.get_running_loop().call_later(min(pause, policy.max_delay_ms / 1000) / self.hurry, self.enqueue, call)
            return
        call.settle(
            api_pb2.FunctionGetOutputsItem(
                result=item.result, input_id=call.input_id, data_format=item.data_format, retry_count=item.retry_count
            )
        )

    def crashed(self, call, task, blameless):
        """A container is gone under a call: another one gets it, as Modal does after a crash or a preemption."""
        call.tasks.discard(task)
        if call.result:
            return
        if call.timed_out:
            return self._timed_out(call)
        call.crashes += not blameless
        if call.crashes > CRASHES:
            call.settle(self._ended(call, LOST, "its containers crash"))
        elif not call.tasks:
            self.enqueue(call)

    def fail_queued(self, function, result):
        """A function's containers can't start: what waits for them fails."""
        queue = self.queue(function)
        while not queue.empty():
            queue.get_nowait().settle(api_pb2.FunctionGetOutputsItem(result=result))

    def _ended(self, call, status, why):
        result = api_pb2.GenericResult(status=status, exception=why)
        return api_pb2.FunctionGetOutputsItem(result=result, input_id=call.input_id)
