"""The only owner of the engine: inbox -> engine -> writer -> effects, once their records are durable.

Everything that waits in the inbox is decided in one pass, at one `now`, and becomes one batch for the writer; when
nothing is on its way to disk, what a connection hands over is decided as soon as it has handed over all. The loop goes
on deciding while batches are on their way to disk; what a decision wants done stays in a line until the writer has
announced the batch it rests on. Decisions without records wait in the same line, so nobody is told of anything that
could still be lost. When the disk can not take more, the loop stops deciding, and the inbox fills up to its bound.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio
from attrs import define

from aether.core.effects import (
    CancelAttempt,
    Decision,
    Effect,
    EventRecorded,
    QueueSet,
    Record,
    Reply,
    Revoke,
    RunChanged,
    RunOpened,
    SendActivity,
    SendEvents,
)
from aether.core.engine import Engine
from aether.core.inputs import Complete, Input
from aether.model.commands import BlockRun
from aether.model.payload import Failure
from aether.server.clock import Clock
from aether.server.connection import Burst
from aether.server.followers import Followers
from aether.server.gate import Gate
from aether.server.histories import Histories
from aether.server.metrics import Metrics
from aether.server.queue_settings import row_of
from aether.server.sinks import Outbox, SessionSink
from aether.server.tally import Tally
from aether.server.telemetry import Log
from aether.server.writer import BatchWriter
from aether.store.interface import Batch, EventRow, RunChange, RunRow, SettingRow
from aether.wire.convert import KINDS, encode_event

log = Log("aether.server")

# Enough to fill a commit; more would keep the sockets waiting.
PASS_MAX = 256
# So few that came in together belong to one or two callers, who wait for each other.
_THIN: Final = 2
# Fewer such decisions in a row are the ends of larger crowds.
_THIN_COUNT: Final = 8


@define(eq=False)
class _Line:
    """Effects that wait for a ticket, and runs to forget after them."""

    ticket: int
    effects: list[Effect]
    closed: list[int]


class EngineLoop:
    def __init__(self, engine: Engine, clock: Clock, histories: Histories, tally: Tally) -> None:
        self.engine = engine
        self.clock = clock
        self.histories = histories
        self.tally = tally
        limits = engine.state.limits
        self.followers = Followers(limits.followers_max)
        self.metrics = Metrics(engine.state, engine.state.limits.problems_max)
        self.outbox: Outbox
        self.burst = Burst()
        self.sinks: dict[int, SessionSink] = {}
        self.on_due: Callable[[int | None], None] = lambda due: None
        self._inbox: deque[Input | Reply] = deque()
        self._inbox_max = engine.state.limits.inbox_max
        self._line: deque[_Line] = deque()
        self._work = Gate()
        self._room = Gate()
        self._writer: BatchWriter | None = None
        self._is_running = False
        self._thin_count = 0  # decisions in a row about little
        self._fault: Exception | None = None
        self._last_ticket = 0

    def attach(self, writer: BatchWriter) -> None:
        self._writer = self.metrics.writer = writer

    @property
    def last_ticket(self) -> int:
        """Of the batch that was made last; it may not be durable yet."""
        return self._last_ticket

    @property
    def waiting_count(self) -> int:
        """What came in and is not decided."""
        return len(self._inbox)

    @property
    def is_full(self) -> bool:
        """The inbox has reached its bound: refuse new requests."""
        return len(self._inbox) >= self._inbox_max

    @property
    def is_quiet(self) -> bool:
        """Everything that came in is decided, and whoever was to be told has been told."""
        return not self._inbox and not self._line

    def post(self, item: Input | Reply) -> None:
        """Hand in something that happened; a Reply just takes its place in the line of effects."""
        if not self._inbox and not self.burst.after_reading(self._settle):
            self._work.open()
        self._inbox.append(item)

    def block(self, token: int, failure: Failure, told: Callable[[object], None]) -> None:
        """The run of that lease can not go on: what is known of it can not be read."""
        self.post(Complete(told, token, (BlockRun(failure),)))

    async def run(self) -> None:
        """Decide for ever."""
        assert self._writer is not None
        self._is_running = True
        try:
            while True:
                while not self._inbox and self._fault is None:
                    await self._work.wait()
                if self._fault is not None:
                    raise self._fault
                while not self._writer.has_room:
                    await self._room.wait()
                self._decide()
                if self._inbox:
                    await trio.lowlevel.checkpoint()
        finally:
            self._is_running = False

    def begin(self, decision: Decision) -> None:
        """Do what the engine has decided when it took up what an earlier server left."""
        self._commit(decision.records, decision.effects)
        self.on_due(self.engine.next_due())

    def on_durable(self, ticket: int) -> None:
        """The writer has made everything up to `ticket` durable: do what waited for it."""
        line = self._line
        with self.burst:
            while line and line[0].ticket <= ticket:
                entry = line.popleft()
                self._perform(entry.effects)
                for run_key in entry.closed:
                    self.histories.forget(run_key)
            self.outbox.flush()
        if self.followers:
            self.followers.durable(ticket)
        self._room.open()

    def _settle(self) -> None:
        """A connection has handed over what it had; a pass more would gather nothing else where little comes in."""
        writer = self._writer
        is_thin = self._thin_count >= _THIN_COUNT and len(self._inbox) <= _THIN
        if is_thin and self._is_running and writer is not None and writer.has_room and not writer.waiting_count:
            try:
                self._decide()
            except Exception as fault:  # noqa: BLE001 - `run` raises it: the connection has no part in it
                self._fault = fault
        if self._inbox or self._fault is not None:
            self._work.open()

    def _decide(self) -> None:
        now = self.clock.now()
        self._thin_count = self._thin_count + 1 if len(self._inbox) <= _THIN else 0
        metrics = self.metrics
        if now >= metrics.mark_at:
            metrics.mark(now)
        metrics.decided_at = now
        self._take(now)
        self.on_due(self.engine.next_due())

    def _take(self, now: int) -> None:
        """One pass: decide what waits, and see to it that it is written and told."""
        records: list[Record] = []
        effects: list[Effect] = []
        inbox, apply = self._inbox, self.engine.apply
        for _ in range(min(len(inbox), PASS_MAX)):
            item = inbox.popleft()
            if isinstance(item, Reply):
                effects.append(item)
                continue
            decision = apply(item, now)
            records += decision.records
            effects += decision.effects
        self._commit(records, effects)

    def _commit(self, records: list[Record], effects: list[Effect]) -> None:
        assert self._writer is not None
        writer = self._writer
        closed: list[int] = []
        # Set before submitting: a writer that needs no thread announces the ticket before it returns.
        ticket = self._last_ticket
        if records:
            batch = self._batch(records, closed)
            entry = _Line(ticket + 1, effects, closed)
            self._line.append(entry)
            self._last_ticket = writer.submit(batch)
            assert self._last_ticket == entry.ticket
        elif effects:
            self._line.append(_Line(ticket, effects, closed))
            self.on_durable(writer.durable_ticket)

    def _batch(self, records: list[Record], closed: list[int]) -> Batch:
        """Rows for the store. A run that is made and changed in one batch is written once, as it ended up."""
        runs: dict[int, RunRow] = {}
        changes: dict[int, RunChange] = {}
        events: list[EventRow] = []
        settings: list[SettingRow] = []
        for record in records:
            if isinstance(record, EventRecorded):
                event = record.event
                body = encode_event(event)
                self.histories.append(record.run_key, event.seq, body)
                events.append(EventRow(record.run_key, event.seq, event.at, KINDS[type(event.fact)], body))
            elif isinstance(record, RunChanged):
                changes[record.key] = RunChange(record.key, record.state, record.closed_at, record.error)
                self.tally.change(record.workflow_type, record.before, record.state)
                if record.closed_at is not None:
                    closed.append(record.key)
            elif isinstance(record, QueueSet):
                settings.append(row_of(record))
            else:
                runs[record.key] = _row(record)
                self.tally.open(record.workflow_type)
        for key in runs.keys() & changes.keys():
            change = changes.pop(key)
            row = runs[key]
            runs[key] = RunRow(
                key,
                row.workflow_id,
                row.run_id,
                row.type,
                row.queue,
                change.state,
                row.parent_key,
                row.created_at,
                change.closed_at,
                row.tags,
                change.error,
            )
        if self.followers:
            self.followers.mark([event.run_key for event in events], self._last_ticket + 1)
        return Batch(list(runs.values()), list(changes.values()), events, settings)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                effect.to(effect.answer)  # type: ignore[operator]  # the shell made it: a callable
                continue
            sink = self.sinks.get(effect.session_id)
            if sink is None:
                # The session ended while the effect was under way; the engine is told, or has told us.
                continue
            if isinstance(effect, SendEvents):
                events = self.histories.events(effect.run_key, effect.first_seq, effect.last_seq)
                sink.send_events(effect, events)
            elif isinstance(effect, SendActivity):
                sink.send_activity(effect)
            elif isinstance(effect, CancelAttempt):
                sink.cancel_attempt(effect)
            elif isinstance(effect, Revoke):
                sink.revoke(effect)
            else:
                del self.sinks[effect.session_id]
                log.warning("worker_lost", worker_id=sink.worker_id, reason=effect.reason)
                sink.end(effect.reason)


def _row(record: RunOpened) -> RunRow:
    return RunRow(
        record.key,
        record.workflow_id,
        record.run_id,
        record.workflow_type,
        record.task_queue,
        1,
        record.parent_key,
        record.created_at,
        None,
        record.tags,
    )
