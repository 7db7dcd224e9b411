"""The part of `ClientService` that talks with a run while it is open: signals, promises, published values."""

from functools import partial

import trio
from google.protobuf.message import DecodeError

from aether.core.effects import NotOpen, PromiseCompleted, Signalled, ValueRead
from aether.core.inputs import CompletePromise, ReadValue, SignalRun
from aether.core.validate import check_failure, check_name, check_payload
from aether.errors import AetherError, InvalidArgument, WorkflowClosed
from aether.model import events as e
from aether.model.limits import Limits
from aether.model.runs import RunState
from aether.server.archive import PAGE_EVENTS, Archive
from aether.server.engine_loop import EngineLoop
from aether.server.readiness import Readiness
from aether.server.replies import find_row, refuse, respond_later
from aether.store.interface import EventRow, Reader
from aether.wire.calls import Call, Method
from aether.wire.convert import KINDS, decode_event
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.values import failure_from_proto, payload_from_proto, payload_to_proto

_SERVICE = "/aether.v1.ClientService/"
# A token holds a path, a run id and a workflow id.
_TOKEN_MAX = 500


class MessageService:
    def __init__(
        self, loop: EngineLoop, limits: Limits, archive: Archive, readiness: Readiness, nursery: trio.Nursery
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._archive = archive
        self._readiness = readiness
        self._nursery = nursery

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "SignalWorkflow", self.signal_workflow, "unary"),
            Method(_SERVICE + "CompletePromise", self.complete_promise, "unary"),
            Method(_SERVICE + "ReadValue", self.read_value, "unary"),
        ]

    def signal_workflow(self, call: Call, message: bytes) -> None:
        try:
            self._readiness.check_writable()
            request = pb.SignalRequest.FromString(message)
            check_name(self._limits, request.workflow_id, "workflow_id")
            check_name(self._limits, request.run_id, "run_id", required=False)
            check_name(self._limits, request.name, "name")
            check_name(self._limits, request.signal_id, "signal_id", required=False)
            value = payload_from_proto(request.value)
            check_payload(self._limits, value, "value")
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)
            return
        self._loop.post(
            SignalRun(
                partial(self._signalled, call),
                request.workflow_id,
                request.run_id,
                request.name,
                value,
                request.signal_id,
            )
        )

    def _signalled(self, call: Call, answer: object) -> None:
        if isinstance(answer, Signalled):
            call.respond(pb.SignalResponse(run_id=answer.run_id, duplicate=answer.duplicate).SerializeToString())
        elif isinstance(answer, NotOpen):
            self._nursery.start_soon(respond_later, call, partial(self._why_not_open, answer))
        else:
            refuse(call, answer)

    async def _why_not_open(self, answer: NotOpen) -> bytes:
        row = await self._archive.read(partial(find_row, answer.workflow_id, answer.run_id))
        state = RunState(row.state).name
        raise WorkflowClosed(f"workflow {row.workflow_id!r} (run {row.run_id}) is {state} already")

    def complete_promise(self, call: Call, message: bytes) -> None:
        try:
            self._readiness.check_writable()
            request = pb.CompletePromiseRequest.FromString(message)
            if not request.token or len(request.token) > _TOKEN_MAX:
                raise InvalidArgument("not a token that ctx.promise() has given", field="token")
            if request.HasField("result") == request.HasField("failure"):
                raise InvalidArgument("exactly one of result and failure must be set", field="result")
            result = payload_from_proto(request.result) if request.HasField("result") else None
            failure = failure_from_proto(request.failure) if request.HasField("failure") else None
            if result is not None:
                check_payload(self._limits, result, "result")
            if failure is not None:
                check_failure(self._limits, failure, "failure")
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)
            return
        self._loop.post(CompletePromise(partial(_promise_completed, call), request.token, result, failure))

    def read_value(self, call: Call, message: bytes) -> None:
        try:
            request = pb.ReadValueRequest.FromString(message)
            check_name(self._limits, request.workflow_id, "workflow_id")
            check_name(self._limits, request.run_id, "run_id", required=False)
            check_name(self._limits, request.key, "key")
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)
            return
        self._loop.post(
            ReadValue(partial(self._value_read, call, request.key), request.workflow_id, request.run_id, request.key)
        )

    def _value_read(self, call: Call, key: str, answer: object) -> None:
        if isinstance(answer, ValueRead):
            call.respond(_value(answer).SerializeToString())
            return
        assert isinstance(answer, NotOpen)

        async def look_up() -> bytes:
            row = await self._archive.read(partial(find_row, answer.workflow_id, answer.run_id))
            found, after = ValueRead(None, 0), 0
            while True:
                page = await self._archive.read(partial(_page, row.key, after))
                found = _last_published(page, key) or found
                if len(page) < PAGE_EVENTS:
                    return _value(found).SerializeToString()
                after = page[-1].seq

        self._nursery.start_soon(respond_later, call, look_up)


def _promise_completed(call: Call, answer: object) -> None:
    if isinstance(answer, PromiseCompleted):
        call.respond(pb.CompletePromiseResponse(duplicate=answer.duplicate).SerializeToString())
    else:
        refuse(call, answer)


def _page(run_key: int, after_seq: int, reader: Reader) -> list[EventRow]:
    return reader.events(run_key, after_seq, PAGE_EVENTS)


def _last_published(page: list[EventRow], key: str) -> ValueRead | None:
    for row in reversed(page):
        if row.kind == KINDS[e.ValuePublished]:
            fact = decode_event(row.body).fact
            if isinstance(fact, e.ValuePublished) and fact.key == key:
                return ValueRead(fact.value, row.at)
    return None


def _value(answer: ValueRead) -> pb.ReadValueResponse:
    if answer.value is None:
        return pb.ReadValueResponse()
    return pb.ReadValueResponse(found=True, value=payload_to_proto(answer.value), published_at_us=answer.published_at)
