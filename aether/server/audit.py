"""Does what is stored tell one story? Every history is read and folded, and compared with what the rows say of its run.

The store's own check sees bits and gaps; this sees sense: a history begins with its start and has one end if the run is
closed and none if not, and the state beside it is the one that the history leads to.
"""

from collections import Counter
from collections.abc import Iterator

from attrs import define
from google.protobuf.message import DecodeError

from aether.core.run import Run, fold
from aether.errors import InvalidArgument
from aether.model import events as e
from aether.model.payload import error_name
from aether.store.interface import EventRow, Reader, RunRow, StoreDamaged
from aether.wire.convert import KINDS, decode_event

PAGE_RUNS = 1_000
PAGE_EVENTS = 2_000
_ENDS = (e.RunCompleted, e.RunFailed, e.RunCancelled)


@define
class Audit:
    """Goes through all runs; `faults` may be asked once. `runs` and `events` count what was read so far."""

    reader: Reader
    runs: int = 0
    events: int = 0

    def faults(self) -> Iterator[str]:
        """A line per fault. The reader is held at one moment, so a server may go on meanwhile."""
        self.reader.hold()
        counted: Counter[tuple[str, int]] = Counter()
        before_key: int | None = None
        while page := self.reader.list_runs(before_key=before_key, limit=PAGE_RUNS):
            before_key = page[-1].key
            for row in page:
                self.runs += 1
                counted[row.type, row.state] += 1
                yield from self._faults_of(row)
        told = self.reader.counts()
        for name in sorted(counted.keys() | told.keys()):
            if counted[name] != told.get(name, 0):
                off = told.get(name, 0) - counted[name]
                yield f"runs of type {name[0]!r} in state {name[1]}: the count is off by {off}"

    def _faults_of(self, row: RunRow) -> Iterator[str]:
        run = Run(row.key, row.workflow_id, row.run_id, row.type, row.queue, row.parent_key, row.created_at)
        last: e.Event | None = None
        seq = ends = 0
        try:
            for stored in self._log(row.key):
                seq = stored.seq
                event = decode_event(stored.body)
                fault = _misfit(row, stored, event)
                if fault:
                    yield f"event {stored.seq} of run {row.key}: {fault}"
                fold(run, event)
                ends += isinstance(event.fact, _ENDS)
                last = event
        except StoreDamaged as damage:
            yield damage.what
            return
        except (InvalidArgument, DecodeError) as fault:
            yield f"event {seq} of run {row.key} can not be understood: {fault}"
            return
        except (AssertionError, LookupError, AttributeError):
            # What rules of the engine say when facts come that can not follow each other.
            yield f"event {seq} of run {row.key} can not follow those before it"
            return
        yield from (f"run {row.key}: {fault}" for fault in _sums(row, run, last, ends))

    def _log(self, run_key: int) -> Iterator[EventRow]:
        after_seq = 0
        while page := self.reader.events(run_key, after_seq, PAGE_EVENTS):
            self.events += len(page)
            yield from page
            after_seq = page[-1].seq


def _misfit(row: RunRow, stored: EventRow, event: e.Event) -> str:
    """What the columns of an event say otherwise than the event, or nothing."""
    if (event.seq, event.at, KINDS[type(event.fact)]) != (stored.seq, stored.at, stored.kind):
        return "its number, time or kind is not that of its row"
    if isinstance(event.fact, e.RunCreated) is not (event.seq == 1):
        return "a history has its start at its beginning, and only there"
    if isinstance(event.fact, e.RunCreated) and _named(event.fact) != (
        row.workflow_id,
        row.run_id,
        row.type,
        row.queue,
        row.tags,
    ):
        return "it started a run of another name than this"
    return ""


def _named(fact: e.RunCreated) -> tuple[object, ...]:
    return fact.workflow_id, fact.run_id, fact.workflow_type, fact.task_queue, fact.tags


def _sums(row: RunRow, run: Run, last: e.Event | None, ends: int) -> Iterator[str]:
    if last is None:
        yield "it has no events"
        return
    if row.state != run.state:
        yield f"it is stored as {row.state}, and its history leads to {run.state.value} ({run.state.name})"
    fact = last.fact
    error = error_name(fact.failure) if isinstance(fact, e.RunFailed) else ""
    if row.error != error:
        yield f"it is stored as failed of {row.error!r}, and by its history {error!r} is right"
    is_closed = row.closed_at is not None
    if ends != is_closed:
        yield f"it is {'closed' if is_closed else 'open'} and has {ends} ends"
    if is_closed and (not isinstance(last.fact, _ENDS) or last.at != row.closed_at):
        yield "it is closed, and not by its last event"
