"""The engine loop of tier L1 (`snapshot`): most effects do not wait for the disk, the end of a run does.

Theory of operation. An effect that rests on records of open runs goes out at once; a crash may take it back, as if it
had not been decided. What no crash may take back is how a run ended. So the effects of a decision that closes a run
stay in the line until it is durable, and with them whatever else is about the runs and leases that the decision
touched: nobody hears of a result on another way (a parent that is handed to another worker, say), and each lease gets
its news in order. Refusals and the ends of sessions wait for all that waits. The writer is urged whenever something
waits.

When the disk does not keep up, everything waits as in `EngineLoop`, so that no more can be lost than was promised.
"""

from collections import deque
from collections.abc import Iterator

from aether.core.effects import (
    Closed,
    Decision,
    Effect,
    EndSession,
    EventRecorded,
    QueueSet,
    Record,
    Recorded,
    Reply,
    RunChanged,
    SendEvents,
)
from aether.core.engine import Engine
from aether.errors import AetherError
from aether.server.clock import Clock
from aether.server.engine_loop import PASS_MAX, EngineLoop
from aether.server.gathering import GatheringWriter
from aether.server.histories import Histories
from aether.server.tally import Tally
from aether.server.writer import BatchWriter


class SnapshotLoop(EngineLoop):
    def __init__(self, engine: Engine, clock: Clock, histories: Histories, tally: Tally) -> None:
        super().__init__(engine, clock, histories, tally)
        self._gathering: GatheringWriter
        # Runs and leases about which something waits, by key and by token, with the ticket that ends it. No token is
        # as small as a key: its upper bits are the epoch.
        self._held: dict[int, int] = {}
        self._holds: deque[tuple[int, int]] = deque()

    def attach(self, writer: BatchWriter) -> None:
        assert isinstance(writer, GatheringWriter)
        super().attach(writer)
        self._gathering = writer

    def on_durable(self, ticket: int) -> None:
        holds, held = self._holds, self._held
        while holds and holds[0][0] <= ticket:
            until, name = holds.popleft()
            if held[name] == until:
                del held[name]
        super().on_durable(ticket)

    def _take(self, now: int) -> None:
        records: list[Record] = []
        free: list[Effect] = []
        waiting: list[Effect] = []
        must_wait = is_behind = self._gathering.is_behind
        inbox, apply = self._inbox, self.engine.apply
        for _ in range(min(len(inbox), PASS_MAX)):
            item = inbox.popleft()
            decision = Decision([], [item]) if isinstance(item, Reply) else apply(item, now)
            records += decision.records
            if is_behind or _must_last(decision):
                must_wait = True
                waiting += decision.effects
                self._hold(_names(decision))
            elif self._held:
                for effect in decision.effects:
                    if self._must_wait(effect):
                        waiting.append(effect)
                        self._hold(_names_of(effect))
                    else:
                        free.append(effect)
            else:
                free += decision.effects
        if must_wait or waiting:
            self._commit(records, waiting)
            self._gathering.urge()
        elif records:
            self._last_ticket = self._gathering.submit(self._batch(records, []))
        if free:
            with self.burst:
                self._perform(free)
                self.outbox.flush()

    def _hold(self, names: Iterator[int]) -> None:
        """Until the batch that is being made is durable."""
        until = self._last_ticket + 1
        for name in names:
            if self._held.get(name) != until:
                self._held[name] = until
                self._holds.append((until, name))

    def _must_wait(self, effect: Effect) -> bool:
        if isinstance(effect, EndSession):
            return True
        if isinstance(effect, Reply) and isinstance(effect.answer, AetherError | Closed):
            return True
        return any(name in self._held for name in _names_of(effect))


def _must_last(decision: Decision) -> bool:
    """How a run ended, and what people asked of a task queue, must not be taken back."""
    return any(
        (isinstance(record, RunChanged) and record.closed_at is not None) or isinstance(record, QueueSet)
        for record in decision.records
    )


def _names(decision: Decision) -> Iterator[int]:
    """Of the runs and leases that the decision is about."""
    for record in decision.records:
        if isinstance(record, EventRecorded):
            yield record.run_key
    for effect in decision.effects:
        yield from _names_of(effect)


def _names_of(effect: Effect) -> Iterator[int]:
    if isinstance(effect, Reply):
        if isinstance(effect.answer, Recorded):
            yield effect.answer.token
    elif not isinstance(effect, EndSession):
        yield effect.token
        if isinstance(effect, SendEvents):
            yield effect.run_key
