"""Whether whatever may grow stays within its bound, looked at from outside: sizes that are counted, not told.

The bounds are those of `model/limits.py` and `wire/limits.py`. Where what is in hand when the bound is met may go
beyond it, the margin says why.
"""
# ruff: noqa: SLF001 - it looks into what it does not trust

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aether.server.connection import Connection
from aether.server.serve import Running
from aether.server.sinks import CHUNK_BYTES, WAITING_BYTES, SessionStream
from aether.testing.checkers import Violation

if TYPE_CHECKING:
    from aether.testing.world import World

# What tells that somebody is gone, or that it is time, is taken in always; and a message may hold several requests.
_INBOX_MARGIN: Final = 60
# A history that is full still takes what is under way, and how it ends.
_HISTORY_MARGIN: Final = 40


@frozen
class Size:
    """How much of something there is, and how much there may be."""

    what: str
    count: int
    most: int


def check_bounds(world: World) -> None:
    """Raises Violation."""
    for size in _sizes(world):
        world.sizes[size.what] = max(world.sizes[size.what], size.count / size.most)
        if size.count > size.most:
            raise Violation(f"{size.what}: {size.count}, and {size.most} is the bound")


def _sizes(world: World) -> Iterator[Size]:
    running = world.node.running
    if running is not None:
        yield from _of_server(running)
        for connection in world.node.connections:
            yield from _of_connection(connection)
    for process in world.workers:
        session = process.worker._session if process.worker is not None else None
        if process.worker is None or session is None:
            continue
        settings = process.worker._settings
        # Those that are at work are bounded by slots, and a slot may be given again before its run is let go.
        yield Size("runs in a worker's memory", len(session._runs), settings.resident_max + 2 * settings.workflow_slots)
        yield Size("attempts in a worker's memory", len(session._attempts), 2 * settings.activity_slots)
        yield Size("outcomes that a worker keeps", len(process.worker._outcomes._kept), 10_000)
    longest = max((len(account.bodies) for account in world.journal.accounts.values()), default=0)
    yield Size("events of a run", longest, world.plan.limits.history_max + _HISTORY_MARGIN)


def _of_server(running: Running) -> Iterator[Size]:
    loop = running.loop
    state, limits = loop.engine.state, loop.engine.state.limits
    writer = loop.metrics.writer
    assert writer is not None
    yield Size("inputs that wait", len(loop._inbox), limits.inbox_max + _INBOX_MARGIN)
    yield Size("batches that wait for the disk", loop.last_ticket - writer.durable_ticket, limits.unwritten_batches_max)
    kept = loop.histories._runs.values()
    largest = max((each.size for each in kept), default=0)
    yield Size("bytes of histories", sum(each.size for each in kept), max(limits.histories_bytes_max, largest))
    yield Size("open runs", len(state.runs), limits.open_runs_max)
    yield Size("programs that wait", sum(len(run.awaited_by or ()) for run in state.runs.values()), limits.waiters_max)
    yield Size("sessions", len(state.sessions), limits.sessions_max)
    yield Size("closed ids that are remembered", len(state.recently_closed), limits.recently_closed_max)
    yield Size("answers that are kept", len(state.answered), limits.answers_max)
    yield Size("problems", sum(1 for _ in loop.metrics.problems), limits.problems_max)
    for rows in (state.meters.steps, state.meters.activities):
        # One row more is for all that found no room.
        yield Size("rows of a table of metrics", len(rows), rows._rows_max + 1)
    for run in state.runs.values():
        yield Size("positions of a run that wait", len(run.pending), limits.pending_max)
        yield Size("signals that a run remembers", len(run.signal_ids or ()), limits.signal_ids_max)
        yield Size("values that a run shows", len(run.published or ()), limits.published_max)
    for session in state.sessions.values():
        for kind, used in session.used.items():
            yield Size(f"{kind.name.lower()} slots", used, session.slots[kind])
    for sink in loop.sinks.values():
        if isinstance(sink, SessionStream):
            yield Size("bytes gathered for a worker", sink._size, CHUNK_BYTES)
        yield Size("bytes that wait for a worker to read", sink._waiting_bytes, WAITING_BYTES)


def _of_connection(connection: Connection) -> Iterator[Size]:
    link = connection._link
    limits = link.limits
    yield Size("bytes unsent on a connection", link.queued, limits.outbound_unread_bytes)
    yield Size("bytes of unfinished requests", link.partial_bytes, limits.partial_bytes)
    yield Size("calls of a connection", len(link.streams), limits.streams)
    yield Size("bytes unsent to control frames", link._out_bytes, limits.control_bytes + limits.write_bytes)
    for stream in link.streams.values():
        yield Size("bytes unsent on a stream", stream._queued, limits.outbound_stream_bytes)
