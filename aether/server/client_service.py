"""`ClientService`: start, status, result, cancel.

Open runs are the engine's; what it does not know is closed and on disk, or does not exist.
"""

from collections.abc import Callable
from functools import partial

import trio

from aether.core.effects import CancelAccepted, Closed, NotOpen, Started
from aether.core.inputs import AwaitRun, CancelRun, DescribeRun, ForgetAwait, StartRun
from aether.core.lifecycle import id_is_used, may_reuse
from aether.core.run import LOWEST_PRIORITY
from aether.core.validate import check_concurrency, check_delay, check_labels, check_name, check_payload
from aether.core.views import RunView
from aether.errors import InvalidArgument, LimitExceeded, ServerUnavailable, WorkflowClosed
from aether.model import events as e
from aether.model.limits import Limits
from aether.model.payload import Payload
from aether.model.policy import ConcurrencyLimit
from aether.model.runs import IdReusePolicy, Labels, RunState
from aether.model.tracing import parse_traceparent
from aether.server import answers
from aether.server.actions import asked
from aether.server.archive import Archive, find_fact
from aether.server.engine_loop import EngineLoop
from aether.server.entropy import new_id
from aether.server.message_service import MessageService
from aether.server.pause_service import PauseService
from aether.server.readiness import Readiness
from aether.server.replies import fail, find_closed, refuse, refuse_just_started, respond_later
from aether.server.requests import of_run, refusing
from aether.server.row_states import end_of, with_true_state
from aether.store.interface import Reader, RunRow
from aether.wire.calls import Call, Method
from aether.wire.convert import decode_event
from aether.wire.errors import status_of
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.values import concurrency_from_proto, memo_from_proto, payload_from_proto, tags_from_proto

_SERVICE = "/aether.v1.ClientService/"


class ClientService:
    def __init__(
        self, loop: EngineLoop, limits: Limits, archive: Archive, readiness: Readiness, nursery: trio.Nursery
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._archive = archive
        self._readiness = readiness
        self._nursery = nursery
        self._messages = MessageService(loop, limits, archive, readiness, nursery)
        self._pauses = PauseService(loop, limits, archive, readiness, nursery)
        self._waiting: dict[Call, AwaitRun | StartRun] = {}

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "StartWorkflow", self.start_workflow, "unary"),
            Method(_SERVICE + "GetWorkflowStatus", self.get_workflow_status, "unary"),
            Method(_SERVICE + "AwaitResult", self.await_result, "unary"),
            Method(_SERVICE + "CancelWorkflow", self.cancel_workflow, "unary"),
            *self._messages.methods(),
            *self._pauses.methods(),
        ]

    def drain(self) -> None:
        """Those who wait for results may ask the next server."""
        for call, item in list(self._waiting.items()):
            self._forget(call, item)
            call.finish(status_of(ServerUnavailable("the server is stopping; ask again")))

    @refusing
    def start_workflow(self, call: Call, message: bytes) -> None:
        self._readiness.check_writable()
        request = pb.StartWorkflowRequest.FromString(message)
        check_name(self._limits, request.workflow_type, "workflow_type")
        check_name(self._limits, request.workflow_id, "workflow_id", required=False)
        check_name(self._limits, request.task_queue, "task_queue", required=False)
        check_name(self._limits, request.run_id, "run_id", required=False)
        payload = payload_from_proto(request.input)
        check_payload(self._limits, payload, "input")
        options = _start_options(self._limits, request)
        run_id = request.run_id or new_id()
        item = StartRun(
            partial(self._started, call),
            request.workflow_type,
            request.workflow_id or run_id,
            run_id,
            request.task_queue or "default",
            payload,
            *options,
            awaited=request.await_result,
            traceparent=request.traceparent if parse_traceparent(request.traceparent) else "",
        )
        if item.awaited:
            self._keep(call, item)
        may_be_there = bool(request.run_id) and not request.first
        if may_be_there or (item.reuse is not IdReusePolicy.ALLOW and request.workflow_id):
            self._nursery.start_soon(self._start_if_unused, call, item)
        else:
            self._loop.post(item)

    async def _start_if_unused(self, call: Call, item: StartRun) -> None:
        """Look on disk for closed runs of that id; the engine knows those that close from now on."""
        try:
            same = await self._archive.read(lambda reader: reader.run(item.workflow_id, item.run_id))
            row = await self._archive.read(partial(_newest, item.workflow_id))
            self._readiness.check_writable()
        except Exception as fault:  # noqa: BLE001 - contained
            self._waiting.pop(call, None)
            fail(call, fault)
            return
        if item.awaited and call not in self._waiting:
            # Its caller has given up, before anything was done.
            return
        if same is not None and same.closed_at is not None:
            closed = NotOpen(item.workflow_id, item.run_id)
            self._started(call, closed if item.awaited else Started(item.workflow_id, item.run_id, existing=True))
        elif row is not None and row.closed_at is not None and not may_reuse(item.reuse, RunState(row.state)):
            self._started(call, id_is_used(item.workflow_id, RunState(row.state)))
        else:
            self._loop.post(item)

    def _started(self, call: Call, answer: object) -> None:
        self._waiting.pop(call, None)
        if isinstance(answer, Started):
            response = pb.StartWorkflowResponse(
                workflow_id=answer.workflow_id, run_id=answer.run_id, existing=answer.existing
            )
            call.respond(response.SerializeToString())
        elif isinstance(answer, Closed):
            self._respond_closed(call, answer, answers.start_of_closed)
        elif isinstance(answer, NotOpen):
            self._respond_from_disk(call, answer, answers.start_of_closed)
        else:
            refuse(call, answer)

    @refusing
    def get_workflow_status(self, call: Call, message: bytes) -> None:
        self._readiness.check_told()
        request = of_run(pb.GetStatusRequest, self._limits, message)
        self._loop.post(DescribeRun(partial(self._described, call), request.workflow_id, request.run_id))

    def _described(self, call: Call, answer: object) -> None:
        mode = self._readiness.persistence
        if isinstance(answer, RunView):
            call.respond(answers.status_of_open(answer, mode).SerializeToString())
            return
        assert isinstance(answer, NotOpen)

        async def look_up() -> bytes:
            row, first, last = await self._archive.read(partial(_closed_run, answer.workflow_id, answer.run_id))
            is_traced = self._loop.engine.state.meters.is_traced
            return answers.status_of_closed(row, first, last, mode, is_traced=is_traced).SerializeToString()

        self._nursery.start_soon(respond_later, call, look_up)

    @refusing
    def await_result(self, call: Call, message: bytes) -> None:
        self._readiness.check_room()
        request = of_run(pb.AwaitResultRequest, self._limits, message)
        item = AwaitRun(partial(self._closed, call), request.workflow_id, request.run_id)
        self._keep(call, item)
        self._loop.post(item)

    def _keep(self, call: Call, item: AwaitRun | StartRun) -> None:
        """The reply is also the name by which the engine forgets who waits."""
        self._waiting[call] = item
        call.on_closed = lambda reason: self._forget(call, item)
        call.is_timed = False

    def _forget(self, call: Call, item: AwaitRun | StartRun) -> None:
        self._waiting.pop(call, None)
        self._loop.post(ForgetAwait(item.reply, item.workflow_id))

    def _closed(self, call: Call, answer: object) -> None:
        self._waiting.pop(call, None)
        if isinstance(answer, Closed):
            self._respond_closed(call, answer, answers.result)
        elif isinstance(answer, NotOpen):
            self._respond_from_disk(call, answer, answers.result)
        else:
            refuse(call, answer)

    def _respond_closed(self, call: Call, closed: Closed, respond: Callable[[Closed], bytes]) -> None:
        message = respond(closed)
        if call.has_room_for(message):
            call.respond(message)
        else:
            # Many large results at a time: what does not fit is on disk, where it takes no memory while it waits.
            self._respond_from_disk(call, NotOpen(closed.workflow_id, closed.run_id), respond)

    def _respond_from_disk(self, call: Call, closed: NotOpen, respond: Callable[[Closed], bytes]) -> None:
        async def look_up() -> bytes:
            row, _, last = await self._archive.read(partial(_closed_run, closed.workflow_id, closed.run_id))
            return respond(answers.closed_from_disk(row, last))

        self._nursery.start_soon(respond_later, call, look_up)

    @refusing
    def cancel_workflow(self, call: Call, message: bytes) -> None:
        self._readiness.check_writable()
        request = of_run(pb.CancelRequest, self._limits, message)
        check_name(self._limits, request.reason, "reason", required=False)
        asked("cancel", call, workflow_id=request.workflow_id, force=request.force)
        self._loop.post(
            CancelRun(
                partial(self._cancelled, call), request.workflow_id, request.run_id, request.reason, request.force
            )
        )

    def _cancelled(self, call: Call, answer: object) -> None:
        if isinstance(answer, CancelAccepted):
            call.respond(pb.CancelResponse(run_id=answer.run_id, state=int(answer.state)).SerializeToString())  # type: ignore[arg-type]
            return
        assert isinstance(answer, NotOpen)

        async def look_up() -> bytes:
            row, _, _ = await self._archive.read(partial(_closed_run, answer.workflow_id, answer.run_id))
            refuse_just_started(row)
            if await find_fact(self._archive, row.key, (e.CancelRequested,), lambda fact: True) is not None:
                # It was asked before, perhaps by whoever repeats this because the answer was lost.
                return pb.CancelResponse(run_id=row.run_id, state=row.state).SerializeToString()  # type: ignore[arg-type]
            state = RunState(row.state).name
            raise WorkflowClosed(f"workflow {row.workflow_id!r} (run {row.run_id}) is {state} already")

        self._nursery.start_soon(respond_later, call, look_up)


def _start_options(
    limits: Limits, request: pb.StartWorkflowRequest
) -> tuple[IdReusePolicy, int, int, int, Labels, tuple[tuple[str, Payload], ...], Labels, ConcurrencyLimit | None]:
    """The options of a start as `StartRun` takes them."""
    try:
        reuse = IdReusePolicy(request.id_reuse_policy or IdReusePolicy.ALLOW)
    except ValueError:
        message = f"{request.id_reuse_policy} is no id reuse policy"
        raise InvalidArgument(message, field="id_reuse_policy") from None
    check_delay(limits, request.start_delay_ms, "start_delay_ms")
    check_delay(limits, request.run_timeout_ms, "run_timeout_ms")
    if request.priority > LOWEST_PRIORITY:
        raise InvalidArgument(f"priority is {request.priority}; from 1 to {LOWEST_PRIORITY}", field="priority")
    check_labels(limits, request.tags, "tags", limits.tags_max)
    check_labels(limits, request.labels, "labels", limits.labels_max)
    if len(request.memo) > limits.memo_max:
        raise LimitExceeded(f"memo has {len(request.memo)} entries; at most {limits.memo_max}")
    memo = memo_from_proto(request.memo)
    for key, value in memo:
        check_name(limits, key, "memo")
        check_payload(limits, value, "memo")
    size = sum(len(value.data) for _, value in memo)
    if size > limits.memo_size_max:
        raise LimitExceeded(f"memo has {size} bytes; at most {limits.memo_size_max}")
    delay_ms, timeout_ms = request.start_delay_ms, request.run_timeout_ms
    tags, labels = tags_from_proto(request.tags), tags_from_proto(request.labels)
    concurrency = concurrency_from_proto(request.concurrency) if request.HasField("concurrency") else None
    check_concurrency(limits, concurrency)
    return reuse, delay_ms, timeout_ms, request.priority, tags, memo, labels, concurrency


def _newest(workflow_id: str, reader: Reader) -> RunRow | None:
    row = reader.run(workflow_id, None)
    return with_true_state(row, reader) if row is not None else None


def _closed_run(workflow_id: str, run_id: str, reader: Reader) -> tuple[RunRow, e.Event | None, e.Event | None]:
    """(run, its first event, its last one), without events if it is not closed."""
    row = find_closed(workflow_id, run_id, reader)
    if row.closed_at is None:
        return row, None, None
    last, first = end_of(row, reader), reader.events(row.key, 0, 1)
    return row, decode_event(first[0].body) if first else None, last
