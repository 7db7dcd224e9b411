"""What a new server reads of the open runs that an earlier one left.

Theory of operation. Runs and their events are read as two streams in the same order and folded one run at a time, so
memory holds what becomes of them and not what they were. Reading goes on behind a damaged run: it is left out and told,
all others go on.

Of long histories most events are steps that were done, and they change nothing that the engine knows but how many
events there are, and whether the last one parked the run. Their checksums are looked at, and they are not decoded,
which takes half the time. A snapshot of what became of a run would save the rest, and would cost as much to read as
four events: most open runs have about as many, and the longest history that there may be takes a fifth of a second.
"""

import gc
from collections.abc import Iterator
from sys import intern

from attrs import define, field

from aether.core.effects import RunOpened
from aether.core.engine import Engine
from aether.core.run import INERT_FACTS, QUIET_FACTS
from aether.model import events as e
from aether.server.queue_settings import setting_of
from aether.store.interface import EventRow, Reader, RunRow, SettingRow, StoreDamaged
from aether.wire.convert import KINDS, decode_event

_INERT = frozenset(KINDS[kind] for kind in INERT_FACTS)
_QUIET = frozenset(KINDS[kind] for kind in QUIET_FACTS)


@define
class Recovery:
    """Lets an engine adopt what is open. Afterwards it can say how much there was, and which runs can not be read."""

    runs: int = 0
    events: int = 0
    # When the last event of them was.
    newest_at: int = 0
    damage: dict[int, str] = field(factory=dict)
    # What the store found when it was opened, by run: also of runs of which nothing shows when they are read.
    found: dict[int, str] = field(factory=dict)
    # Settings that can not be read.
    unset: list[str] = field(factory=list)

    def read(self, engine: Engine, reader: Reader) -> None:
        """Raises StoreError if the store as a whole can not be read."""
        # All that is made here is kept: whoever looks for garbage meanwhile looks at everything again and again.
        collects = gc.isenabled()
        gc.disable()
        try:
            self._read(engine, reader)
        finally:
            if collects:
                gc.enable()

    def _read(self, engine: Engine, reader: Reader) -> None:
        self._read_settings(engine, reader.settings())
        for run, log in self._histories(reader):
            self.runs += 1
            self.events += len(log)
            self.newest_at = max(self.newest_at, log[-1].at)
            engine.adopt(_opened(run), _decoded(log))
        for key in self.damage:
            # Whoever starts it again must not do twice what it has done already.
            for row in reader.list_runs(before_key=key + 1, limit=1):
                engine.withhold(row.workflow_id, row.run_id)
        self._look_for_children(engine, reader)

    def _look_for_children(self, engine: Engine, reader: Reader) -> None:
        """A child is closed in one commit with its parent's knowing of it, unless the parent could not be read then."""
        for run, child in list(engine.missing_children()):
            try:
                row = reader.run(child.workflow_id, child.run_id)
                last = reader.last_event(row.key) if row is not None else None
            except StoreDamaged:
                continue  # how it ended can not be read, so the parent waits; whoever asks for the child is told
            fact = decode_event(last.body).fact if last is not None else None
            if isinstance(fact, e.RunCompleted | e.RunFailed | e.RunCancelled):
                engine.learn_end(run, child.path, fact)

    def _read_settings(self, engine: Engine, rows: Iterator[SettingRow]) -> None:
        last: StoreDamaged | None = None
        while True:
            try:
                for row in rows:
                    setting = setting_of(row)
                    if setting is not None:
                        engine.adopt_queue(setting)
            except StoreDamaged as fault:
                if fault is last:
                    raise  # not one setting but the file
                last = fault
                self.unset.append(str(fault))
                continue
            return

    def _histories(self, reader: Reader) -> Iterator[tuple[RunRow, list[EventRow]]]:
        logs = self._logs(reader.open_events())
        log = next(logs, None)
        for run in self._sound(reader.open_runs()):
            while log is not None and log[0].run_key < run.key:
                log = next(logs, None)  # of a run that can not be read itself
            if (log is None or log[0].run_key != run.key) and run.key not in self.damage:
                self.damage[run.key] = f"run {run.key} has no events"
            if run.key in self.found:
                self.damage.setdefault(run.key, self.found[run.key])
            if log is not None and run.key not in self.damage:
                yield run, log

    def _logs(self, events: Iterator[EventRow]) -> Iterator[list[EventRow]]:
        """What there is of each run, in the order of their keys."""
        log: list[EventRow] = []
        key = None
        while True:
            try:
                for event in events:
                    if event.run_key != key:
                        if log:
                            yield log
                        log, key = [], event.run_key
                    log.append(event)
            except StoreDamaged as fault:
                self._note(fault)
                continue
            if log:
                yield log
            return

    def _sound(self, runs: Iterator[RunRow]) -> Iterator[RunRow]:
        while True:
            try:
                yield from runs
            except StoreDamaged as fault:
                self._note(fault)
                continue
            return

    def _note(self, fault: StoreDamaged) -> None:
        if fault.run_key is None:
            raise fault  # not one run but the file
        self.damage.setdefault(fault.run_key, str(fault))


def _decoded(log: list[EventRow]) -> Iterator[e.Event]:
    """The events that say what became of the run; the last one always."""
    # Whether the run is parked is said by the last event that is not quiet.
    last = len(log) - 1
    while last > 0 and log[last].kind in _QUIET:
        last -= 1
    for place, row in enumerate(log):
        if row.kind not in _INERT or place >= last:
            yield decode_event(row.body)


def _opened(row: RunRow) -> RunOpened:
    # Types and queues are few, and each row has read a text of its own.
    type_, queue = intern(row.type), intern(row.queue)
    return RunOpened(row.key, row.workflow_id, row.run_id, type_, queue, row.parent_key, row.created_at)
