"""The plane's wire: one servicer on the SDK's own base class whose methods are answered by rooms, each of which has
some RPCs as methods of the same name. No RPC's meaning lives here."""

import asyncio
import inspect
import secrets
import string

from grpclib import GRPCError, Status
from grpclib.server import Server
from modal._utils.grpc_utils import custom_detail_codec
from modal_proto import api_pb2
from modal_proto.api_grpc import ModalClientBase

ALPHABET = string.ascii_letters + string.digits
# What a fault may say instead of an answer, by its name in a fault's `do`.
REFUSALS = {"exhausted": Status.RESOURCE_EXHAUSTED, "unavailable": Status.UNAVAILABLE}


def new_id(prefix):
    """An id of the form that the SDK knows: `fc-` and 22 letters or digits."""
    return f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(22))


def refuse(status, message):
    """An RPC error."""
    return GRPCError(status, message)


class Caller:
    """Who asks: a client, or the container of a task."""

    def __init__(self, metadata, task):
        self.metadata, self.task = metadata, task


def serve(plane, task=None):
    """A gRPC server whose callers are clients, or the one container of `task`."""
    return Server([_servicer(plane, task)], status_details_codec=custom_detail_codec)


def _servicer(plane, task):
    methods = {name: _method(name, plane, task) for name in ModalClientBase.__abstractmethods__}
    return type("Servicer", (ModalClientBase,), methods)()


def _method(name, plane, task):
    async def method(_self, stream):
        caller = Caller(stream.metadata, task)
        plane.admit(caller)
        request = await stream.recv_message()
        plane.record(name, request)
        answer = _handler(plane, name)(request, caller)
        if inspect.isasyncgen(answer):
            async for part in answer:
                await stream.send_message(part)
        else:
            await stream.send_message(await _answer(plane, name, answer, caller))

    return method


def _handler(plane, name):
    for room in plane.rooms:
        if handler := getattr(room, name, None):
            return handler
    raise refuse(Status.UNIMPLEMENTED, f"the loopback Modal has no {name}")


async def _answer(plane, name, answer, caller):
    """The answer, through whatever fault is in force for this RPC."""
    key = (name, caller.metadata.get("x-idempotency-key"))
    if key in plane.answers:
        answer.close()
        return plane.answers[key]
    fault = plane.faults.take_for(name)
    if fault and fault["do"] in REFUSALS:
        answer.close()
        hint = [api_pb2.RPCRetryPolicy(retry_after_secs=fault["retry_after"])] if "retry_after" in fault else None
        raise GRPCError(REFUSALS[fault["do"]], fault.get("message", f"{name} is refused by a fault"), hint)
    if fault and fault["do"] == "delay":
        await asyncio.sleep(fault["seconds"])
    message = await answer
    if fault and fault["do"] == "lose_answer":
        # Modal knows a request that is sent again by its key; `forget` is a Modal that would not.
        if not fault.get("forget"):
            plane.answers[key] = message
        raise refuse(Status.UNAVAILABLE, "the answer was lost")
    return message
