"""What `AdminService` does about one run: its history, its timeline, what it waits for, forks of it.

What is read is what is durable. The engine is asked only for what it alone knows or does: why an open run does not go
on, and a new run that begins with the history of another one.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import trio
from attrs import evolve

from aether.core.effects import NotOpen, Started
from aether.core.explain import Explanation, explain_end
from aether.core.fork import plan, retry_point
from aether.core.inputs import ExplainRun, ForkRun
from aether.core.past import PastRun
from aether.core.timeline import Timeline
from aether.core.validate import check_name
from aether.errors import InvalidArgument, WorkflowNotFound
from aether.model import events as e
from aether.model.limits import Limits
from aether.model.runs import RunState
from aether.server import past_answers
from aether.server.actions import asked
from aether.server.archive import PAGE_EVENTS, Archive
from aether.server.engine_loop import EngineLoop
from aether.server.entropy import new_id
from aether.server.readiness import Readiness
from aether.server.replies import (
    EndlessStreams,
    fail,
    find_closed,
    find_row,
    refuse,
    respond_later,
    room,
    stream_later,
)
from aether.server.requests import of_run, refusing
from aether.server.row_states import end_of
from aether.store.interface import EventRow, Reader, RunRow
from aether.wire.calls import Call, Method
from aether.wire.convert import KINDS, decode_event
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_SERVICE = "/aether.v1.AdminService/"
# An id that is made up stays within the bound on names.
_ID_MAX = 150
# Between two looks for a follower.
_PAUSE_S = 0.1
_CLOSING_KINDS = {KINDS[kind] for kind in (e.RunCompleted, e.RunFailed, e.RunCancelled)}


class PastService:
    def __init__(
        self, loop: EngineLoop, limits: Limits, archive: Archive, readiness: Readiness, nursery: trio.Nursery
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._archive = archive
        self._readiness = readiness
        self._nursery = nursery
        self._streams = EndlessStreams()
        self.drain = self._streams.drain

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "GetHistory", self.get_history, "unary"),
            Method(_SERVICE + "GetTimeline", self.get_timeline, "unary"),
            Method(_SERVICE + "GetStateAt", self.get_state_at, "unary"),
            Method(_SERVICE + "ExplainWorkflow", self.explain_workflow, "unary"),
            Method(_SERVICE + "ForkWorkflow", self.fork_workflow, "unary"),
        ]

    @refusing
    def get_history(self, call: Call, message: bytes) -> None:
        request = of_run(pb.GetHistoryRequest, self._limits, message)
        if request.after_seq > self._limits.history_max:
            raise InvalidArgument(f"no history has {request.after_seq} events", field="after_seq")

        async def stream() -> None:
            row = await self._archive.read(partial(find_row, request.workflow_id, request.run_id))
            after = request.after_seq

            async def send() -> bool:
                nonlocal after
                after, is_closed = await self._send_events(call, row.key, after)
                return is_closed

            if request.follow:
                await self._follow(call, row, send)
            else:
                await send()

        self._nursery.start_soon(stream_later, call, stream)

    async def _send_events(self, call: Call, run_key: int, after: int) -> tuple[int, bool]:
        """All that are durable; the last one's seq, and whether it closed the run."""
        while True:
            page = await self._archive.read(partial(_events_after, run_key, after))
            for event in page:
                await room(call)
                call.send(event.body)
            if page:
                after = page[-1].seq
            if len(page) < PAGE_EVENTS:
                return after, bool(page) and page[-1].kind in _CLOSING_KINDS

    async def _send_rows(self, call: Call, timeline: Timeline, run_key: int) -> bool:
        """Those that are new or have changed; whether there will be no more."""
        told = timeline.last_seq
        while await self._archive.read(partial(_add_page, timeline, run_key)) == PAGE_EVENTS:
            pass
        for each in timeline.changed(told):
            await room(call)
            call.send(past_answers.timeline_row(each).SerializeToString())
        return bool(timeline.last_seq) and not timeline.run.state.is_open

    async def _follow(self, call: Call, row: RunRow, send: Callable[[], Awaitable[bool]]) -> None:
        with self._streams.keep(call), self._loop.followers.follow(row.key, self._loop.last_ticket) as follower:
            while True:
                if await send() or row.closed_at is not None:
                    return
                # A run that goes on quickly is told of in pieces, and not event by event.
                await trio.sleep(_PAUSE_S)
                await follower.news.wait()
                follower.clear()

    @refusing
    def get_timeline(self, call: Call, message: bytes) -> None:
        request = of_run(pb.GetTimelineRequest, self._limits, message)

        async def stream() -> None:
            row = await self._archive.read(partial(find_row, request.workflow_id, request.run_id))
            timeline = Timeline()

            async def send() -> bool:
                return await self._send_rows(call, timeline, row.key)

            if request.follow:
                await self._follow(call, row, send)
            else:
                await send()

        self._nursery.start_soon(stream_later, call, stream)

    @refusing
    def get_state_at(self, call: Call, message: bytes) -> None:
        request = of_run(pb.GetStateAtRequest, self._limits, message)

        async def stream() -> None:
            row = await self._archive.read(partial(find_row, request.workflow_id, request.run_id))
            past = PastRun()
            while await self._archive.read(partial(_add_until, past, row.key, request.seq)):
                pass
            for item in past_answers.state_items(past):
                await room(call)
                call.send(item.SerializeToString())

        self._nursery.start_soon(stream_later, call, stream)

    @refusing
    def explain_workflow(self, call: Call, message: bytes) -> None:
        self._readiness.check_told()
        request = of_run(pb.ExplainRequest, self._limits, message)
        self._loop.post(ExplainRun(partial(self._explained, call), request.workflow_id, request.run_id))

    def _explained(self, call: Call, answer: object) -> None:
        if isinstance(answer, Explanation):
            call.respond(past_answers.explanation(answer).SerializeToString())
            return
        assert isinstance(answer, NotOpen)

        async def look_up() -> bytes:
            found = await self._archive.read(partial(_explain_closed, answer.workflow_id, answer.run_id))
            return past_answers.explanation(found).SerializeToString()

        self._nursery.start_soon(respond_later, call, look_up)

    @refusing
    def fork_workflow(self, call: Call, message: bytes) -> None:
        self._readiness.check_writable()
        request = of_run(pb.ForkRequest, self._limits, message)
        check_name(self._limits, request.new_workflow_id, "new_workflow_id", required=False)
        check_name(self._limits, request.new_run_id, "new_run_id", required=False)

        if not request.dry_run:
            asked("retry" if request.retry else "fork", call, workflow_id=request.workflow_id)

        async def begin() -> None:
            try:
                cut = await self._archive.read(partial(_cut, request))
                self._readiness.check_writable()
            except Exception as fault:  # noqa: BLE001 - contained: one answer is lost, everybody else carries on
                fail(call, fault)
                return
            if isinstance(cut, pb.ForkResponse):
                call.respond(cut.SerializeToString())
            else:
                self._loop.post(evolve(cut, reply=partial(self._forked, call, cut.at_seq)))

        self._nursery.start_soon(begin)

    def _forked(self, call: Call, at_seq: int, answer: object) -> None:
        if isinstance(answer, Started):
            response = pb.ForkResponse(
                workflow_id=answer.workflow_id, run_id=answer.run_id, at_seq=at_seq, existing=answer.existing
            )
            call.respond(response.SerializeToString())
        else:
            refuse(call, answer)


def _events_after(run_key: int, after_seq: int, reader: Reader) -> list[EventRow]:
    return reader.events(run_key, after_seq, PAGE_EVENTS)


def _add_page(timeline: Timeline, run_key: int, reader: Reader) -> int:
    """In the reader's thread: decoding a long history takes longer than reading it."""
    page = reader.events(run_key, timeline.last_seq, PAGE_EVENTS)
    for event in page:
        timeline.add(decode_event(event.body))
    return len(page)


def _add_until(past: PastRun, run_key: int, seq: int, reader: Reader) -> bool:
    """Add a page; says whether there is more to add."""
    known = past.last.seq if past.last is not None else 0
    page = reader.events(run_key, known, max(min(PAGE_EVENTS, seq - known), 0))
    for event in page:
        past.add(decode_event(event.body))
    if past.last is None or (len(page) < PAGE_EVENTS and past.last.seq < seq):
        count = past.last.seq if past.last is not None else len(reader.events(run_key, 0, PAGE_EVENTS))
        raise InvalidArgument(f"there is no event {seq}: the history has events 1 to {count}", field="seq")
    return past.last.seq < seq


def _explain_closed(workflow_id: str, run_id: str, reader: Reader) -> Explanation:
    row = find_closed(workflow_id, run_id, reader)
    if row.closed_at is None:
        # It was not open when the engine was asked, and is now: somebody has just started that id again.
        raise WorkflowNotFound(f"workflow {workflow_id!r} has just been started again; ask again")
    fact = end_of(row, reader).fact
    assert isinstance(fact, e.RunCompleted | e.RunFailed | e.RunCancelled)
    return explain_end(row.workflow_id, row.run_id, RunState(row.state), row.closed_at, fact)


def _cut(request: pb.ForkRequest, reader: Reader) -> ForkRun | pb.ForkResponse:
    """What to ask of the engine, or the answer: a dry run's, or that of a fork which has been made before."""
    run_id = request.new_run_id or new_id()
    made_up = request.workflow_id if request.retry else f"{request.workflow_id[:_ID_MAX]}-fork-{run_id[:8]}"
    workflow_id = request.new_workflow_id or made_up
    there = reader.run(workflow_id, run_id)
    if there is not None:
        return pb.ForkResponse(workflow_id=there.workflow_id, run_id=there.run_id, existing=True)
    row = find_row(request.workflow_id, request.run_id, reader)
    if row.closed_at is not None:
        end_of(row, reader)  # without it, the rest looks like that of an open run
    history: list[e.Event] = []
    while True:
        page = reader.events(row.key, len(history), PAGE_EVENTS)
        history += [decode_event(event.body) for event in page]
        if len(page) < PAGE_EVENTS:
            break
    at_seq = retry_point(history) if request.retry else request.at_seq
    events = plan(history, at_seq)
    if request.dry_run:
        return pb.ForkResponse(workflow_id=workflow_id, at_seq=at_seq)
    return ForkRun(None, workflow_id, run_id, row.workflow_id, row.run_id, at_seq, events)
