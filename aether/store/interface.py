"""What a store is: rows of runs and events, written all or nothing by one thread and read by any.

Theory of operation. The server holds all state in memory and writes it down as facts: a `RunRow` when a run
starts, a `RunChange` when its state changes, an `EventRow` for each thing that happened. A `Batch` holds the
facts of one decision; `commit` makes any number of batches durable in one transaction, so a group of
decisions costs one flush. Readers see only whole commits and never wait for the writer.

The writer calls `commit` from one thread, then releases those who wait, then calls `tidy`. After any
exception other than `StoreFull` and `StoreBusy` the store must not be written to again: what the operating
system kept of the last write is unknown, and only a fresh start that reads the disk can tell. In a run `seq`
counts from 1 without a gap; `key` numbers runs in the order they were started. All times are microseconds
since 1970 (UTC).

A run is known by its `key`. Its names are chosen by clients: a store takes two runs of the same ones, and finds the
newest, for no client may make a commit fail.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import attrs

from aether.errors import AetherError
from aether.model.filters import EVERY_RUN, RunFilter
from aether.model.frozen import frozen


class StoreError(AetherError):
    """A fault of the store. Its text says what happened, to which file, and what to do."""

    def __init__(self, what: str, *, where: str, advice: str) -> None:
        super().__init__(what, where, advice)
        self.what = what
        self.where = where
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.advice}"


class StoreFull(StoreError):
    """There is no room. Nothing of the commit was kept and the same commit may be tried again later."""

    is_retryable = True


class StoreBusy(StoreError):
    """Somebody else is writing to the file. Nothing was kept and the same commit may be tried again."""

    is_retryable = True


class StoreLocked(StoreError):
    """Another server owns the file."""


class StoreFormat(StoreError):
    """The file is not an Aether database of a version that this program reads."""


class StoreFailed(StoreError):
    """The store cannot be opened, or can no longer be trusted: stop and start again from the disk."""


class StoreConflict(StoreFailed):
    """A commit contradicts what is stored: a row exists already, or the run to change does not."""


class StoreDamaged(StoreError):
    """Stored rows are not what was written. `run_key` and `seq` say which, when that is known."""

    def __init__(
        self, what: str, *, where: str, advice: str, run_key: int | None = None, seq: int | None = None
    ) -> None:
        super().__init__(what, where=where, advice=advice)
        self.run_key = run_key
        self.seq = seq


@frozen
class RunRow:
    """One run. `key` is the store's short name for it; it grows with time and is never given twice.

    Of `tags`, which are sorted, no two have the same name.
    """

    key: int
    workflow_id: str
    run_id: str
    type: str
    queue: str
    state: int
    parent_key: int | None
    created_at: int
    closed_at: int | None
    tags: tuple[tuple[str, str], ...] = ()
    # The class of the error of which it failed; empty for others.
    error: str = ""


class EventRow(NamedTuple):
    """One event of a run. The store does not look into `body`; it notices when a bit of it flips.

    A tuple, because a start makes millions of them.
    """

    run_key: int
    seq: int
    at: int
    kind: int
    body: bytes


@frozen
class RunChange:
    """The new state of a run that exists, and when and of what it closed if it did."""

    key: int
    state: int
    closed_at: int | None
    error: str = ""


@frozen
class SettingRow:
    """Something of the server as a whole that was set while it ran. None: it is not set any more."""

    name: str
    value: bytes | None


@frozen
class Batch:
    """The facts of one decision. Whoever submits a batch must not change its lists afterwards."""

    runs: list[RunRow] = attrs.Factory(list)
    changes: list[RunChange] = attrs.Factory(list)
    events: list[EventRow] = attrs.Factory(list)
    settings: list[SettingRow] = attrs.Factory(list)


@frozen
class Retention:
    """Which closed runs are kept: those that closed at `since` or later, and of these the newest `count`.

    None is no bound. Besides, a run is kept while the run that started it or one that it started is open.
    """

    since: int | None = None
    count: int | None = None


@frozen
class Forgotten:
    """How many runs left, by (type, state), and whether nothing is left that has to go."""

    counts: dict[tuple[str, int], int]
    is_done: bool


@frozen
class Damage:
    """One fault found while opening: the run it belongs to and a sentence for people."""

    run_key: int
    seq: int
    what: str


@frozen
class Opened:
    """What a server must know before its first commit.

    `epoch` grows by at least one at every open, durably, so tokens made from it are never made twice.
    `damage` lists runs whose recent events do not check out; reading those events raises `StoreDamaged`.
    `migrated_from` is the format that the store had until now, 0 if it had this one already.
    """

    epoch: int
    next_run_key: int
    created: bool
    damage: tuple[Damage, ...] = ()
    migrated_from: int = 0


class Reader(Protocol):
    """A view of whole commits. May be used from any thread, by one thread at a time."""

    def open_runs(self) -> Iterator[RunRow]:
        """All runs that have not closed, by key. At a damaged one as `open_events`."""
        ...

    def open_events(self) -> Iterator[EventRow]:
        """The whole log of all open runs by (run_key, seq), streamed.

        Raises `StoreDamaged` at a row that is not what was written or at a gap. The iterator may be asked
        again: it goes on with the next run, so one damaged run does not hide the others.
        """
        ...

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        """At most `limit` events of a run with seq > after_seq, in order."""
        ...

    def last_event(self, run_key: int) -> EventRow | None:
        """The newest event of a run."""
        ...

    def newest_position(self) -> int:
        """Of the event that became durable last; 0 while there is none."""
        ...

    def log_after(self, position: int, limit: int) -> list[tuple[int, EventRow]]:
        """At most `limit` events of all runs behind a position, each with its own, in the order they became durable.

        Positions grow, from 1, and some may be missing. For people: events that are damaged are left out, and those of
        long ago may be. None are there only when no sound one follows.
        """
        ...

    def recall(self, name: str) -> int | None:
        """What `Store.remember` was told last under that name."""
        ...

    def run(self, workflow_id: str, run_id: str | None) -> RunRow | None:
        """The newest run of these names; of the workflow id alone when `run_id` is None."""
        ...

    def run_by_key(self, key: int) -> RunRow | None:
        """The run with this key."""
        ...

    def children(self, key: int, limit: int) -> list[RunRow]:
        """At most `limit` runs that this run started, by key."""
        ...

    def list_runs(
        self,
        wanted: RunFilter = EVERY_RUN,
        *,
        before_key: int | None = None,
        after_key: int | None = None,
        limit: int,
    ) -> list[RunRow]:
        """At most `limit` runs that are meant, newest first; page on with the last key seen.

        With an `after_key`, which may be 0, the oldest first, from behind that key.

        For people: a damaged run is shown as it is, where all other calls raise `StoreDamaged`.
        """
        ...

    def counts(self) -> dict[tuple[str, int], int]:
        """How many runs there are by (type, state). Reads every open run: call it once and keep count."""
        ...

    def settings(self) -> Iterator[SettingRow]:
        """What is set, by name. Raises `StoreDamaged` at a row that is not what was written, and may be asked again."""
        ...

    def hold(self) -> None:
        """Answer everything from now on as of this moment, whatever is committed meanwhile."""
        ...

    def close(self) -> None:
        """Let go of what the reader holds. Allowed twice."""
        ...


class Store(Protocol):
    """Where the rows are."""

    @property
    def name(self) -> str:
        """The kind of store, one word."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether a commit that returned outlives the process."""
        ...

    @property
    def location(self) -> str:
        """Where the rows are, for people; holds no secret."""
        ...

    def open(self) -> Opened:
        """Take possession, create or check what is there, and count a new epoch."""
        ...

    def commit(self, batches: Sequence[Batch]) -> None:
        """Make all of it durable in one transaction, or nothing. Always from the same thread."""
        ...

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        """Remove closed runs that are not kept, the oldest first, in one transaction of about `rows_max` rows.

        From the thread that commits. A run leaves with everything about it; readers do not see it from then on, though
        some of its events may follow in later calls. Call it again until it is done.
        """
        ...

    def remember(self, name: str, value: int) -> None:
        """Keep a number under a name, durably. From the thread that commits."""
        ...

    def tidy(self) -> None:
        """Do the housekeeping that is due, from the thread that commits, when nobody waits for an answer."""
        ...

    def reader(self) -> Reader:
        """A new reader. Close it before the store."""
        ...

    def close(self) -> None:
        """Give up possession. Allowed twice."""
        ...


# What a store may offer besides: `aether db` asks for it.


@runtime_checkable
class ChecksItself(Protocol):
    """It can look for damage of its own kind."""

    def check(self) -> Iterator[str]:
        """A line per fault. On a store that is not open, also while another process has it open."""
        ...


@runtime_checkable
class BacksUp(Protocol):
    """It can be copied."""

    def back_up(self, target: str) -> int:
        """Copy everything as it is at one moment to a place that was not there, whole or not at all; how many bytes.

        On a store that is not open, also while another process has it open.
        """
        ...


@runtime_checkable
class Vacuums(Protocol):
    """It can give back room that nothing uses."""

    def vacuum(self) -> tuple[int, int]:
        """Of the opened store: its bytes before and after."""
        ...
