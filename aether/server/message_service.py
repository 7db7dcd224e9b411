"""The part of `ClientService` that talks with a run while it is open: signals, promises, published values."""

from functools import partial

import trio

from aether.core.effects import NotOpen, PromiseCompleted, Signalled, ValueRead
from aether.core.inputs import CompletePromise, ReadValue, SignalRun
from aether.core.validate import check_failure, check_name, check_payload
from aether.errors import InvalidArgument, WorkflowClosed, WorkflowNotFound
from aether.model import events as e
from aether.model.limits import Limits
from aether.model.runs import RunState
from aether.model.tracing import parse_traceparent
from aether.server.archive import Archive, find_fact
from aether.server.engine_loop import EngineLoop
from aether.server.readiness import Readiness
from aether.server.replies import find_closed, refuse, refuse_just_started, respond_later
from aether.server.requests import of_run, refusing
from aether.wire.calls import Call, Method
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

    @refusing
    def signal_workflow(self, call: Call, message: bytes) -> None:
        self._readiness.check_writable()
        request = of_run(pb.SignalRequest, self._limits, message)
        check_name(self._limits, request.name, "name")
        check_name(self._limits, request.signal_id, "signal_id", required=False)
        value = payload_from_proto(request.value)
        check_payload(self._limits, value, "value")
        self._loop.post(
            SignalRun(
                partial(self._signalled, call, request.signal_id),
                request.workflow_id,
                request.run_id,
                request.name,
                value,
                request.signal_id,
                request.traceparent if parse_traceparent(request.traceparent) else "",
            )
        )

    def _signalled(self, call: Call, signal_id: str, answer: object) -> None:
        if isinstance(answer, Signalled):
            call.respond(pb.SignalResponse(run_id=answer.run_id, duplicate=answer.duplicate).SerializeToString())
        elif isinstance(answer, NotOpen):
            self._nursery.start_soon(respond_later, call, partial(self._signal_of_closed, answer, signal_id))
        else:
            refuse(call, answer)

    async def _signal_of_closed(self, closed: NotOpen, signal_id: str) -> bytes:
        """Somebody repeats a signal whose answer was lost, or it comes too late."""
        row = await self._archive.read(partial(find_closed, closed.workflow_id, closed.run_id))
        refuse_just_started(row)

        def is_that(fact: e.Fact) -> bool:
            return isinstance(fact, e.SignalReceived) and fact.signal_id == signal_id

        if signal_id and await find_fact(self._archive, row.key, (e.SignalReceived,), is_that) is not None:
            return pb.SignalResponse(run_id=row.run_id, duplicate=True).SerializeToString()
        state = RunState(row.state).name
        raise WorkflowClosed(f"workflow {row.workflow_id!r} (run {row.run_id}) is {state} already")

    @refusing
    def complete_promise(self, call: Call, message: bytes) -> None:
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
        self._loop.post(
            CompletePromise(partial(self._promise_completed, call, request.token), request.token, result, failure)
        )

    def _promise_completed(self, call: Call, token: str, answer: object) -> None:
        if isinstance(answer, PromiseCompleted):
            call.respond(pb.CompletePromiseResponse(duplicate=answer.duplicate).SerializeToString())
        elif isinstance(answer, NotOpen):
            path = token.partition("/")[0]
            self._nursery.start_soon(respond_later, call, partial(self._promise_of_closed, answer, path))
        else:
            refuse(call, answer)

    async def _promise_of_closed(self, closed: NotOpen, path: str) -> bytes:
        row = await self._archive.read(partial(find_closed, closed.workflow_id, closed.run_id))
        kinds = (e.PromiseResolved, e.PromiseRejected)

        def is_that(fact: e.Fact) -> bool:
            return isinstance(fact, kinds) and fact.path == path

        if await find_fact(self._archive, row.key, kinds, is_that) is not None:
            return pb.CompletePromiseResponse(duplicate=True).SerializeToString()
        raise WorkflowNotFound(f"run {closed.run_id} of {closed.workflow_id!r} is not open any more")

    @refusing
    def read_value(self, call: Call, message: bytes) -> None:
        self._readiness.check_told()
        request = of_run(pb.ReadValueRequest, self._limits, message)
        check_name(self._limits, request.key, "key")
        self._loop.post(
            ReadValue(partial(self._value_read, call, request.key), request.workflow_id, request.run_id, request.key)
        )

    def _value_read(self, call: Call, key: str, answer: object) -> None:
        if isinstance(answer, ValueRead):
            call.respond(_value(answer).SerializeToString())
            return
        assert isinstance(answer, NotOpen)

        async def look_up() -> bytes:
            row = await self._archive.read(partial(find_closed, answer.workflow_id, answer.run_id))

            def is_that(fact: e.Fact) -> bool:
                return isinstance(fact, e.ValuePublished) and fact.key == key

            event = await find_fact(self._archive, row.key, (e.ValuePublished,), is_that)
            if event is None:
                return pb.ReadValueResponse().SerializeToString()
            assert isinstance(event.fact, e.ValuePublished)
            return _value(ValueRead(event.fact.value, event.at)).SerializeToString()

        self._nursery.start_soon(respond_later, call, look_up)


def _value(answer: ValueRead) -> pb.ReadValueResponse:
    if answer.value is None:
        return pb.ReadValueResponse()
    return pb.ReadValueResponse(found=True, value=payload_to_proto(answer.value), published_at_us=answer.published_at)
