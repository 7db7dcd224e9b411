"""`FollowEvents`: what happens over all runs, read from the log once it is there, for whoever listens.

Theory of operation. Nothing is kept for a listener, and nothing of the engine's way knows of one: each reads the log
behind the last position it was told, and is woken when something has become durable. So nothing is shown before it is
on disk, a stream that broke goes on exactly where it was, also with the next server, and who reads slowly costs no
memory. Between two reads there is a pause, so that a busy server is read in pages and not event by event. Who is so far
behind that nobody would wait for it goes on nearer to the end, and is told how many events were left out.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import trio
from attrs import define, field, frozen

from aether.errors import InvalidArgument, LimitExceeded
from aether.model.filters import RunFilter, parse_filter
from aether.model.limits import Limits
from aether.server.archive import Archive
from aether.server.engine_loop import EngineLoop
from aether.server.replies import EndlessStreams, room, stream_later
from aether.server.requests import refusing
from aether.store.interface import Reader, RunRow, StoreDamaged
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.logged import KIND_NUMBERS, NAMING_NUMBERS, EventNames, logged_event

_PATH: Final = "/aether.v1.AdminService/FollowEvents"
# So many events in one read, and the pause between two: a listener is told of two thousand a second at most.
PAGE_EVENTS: Final = 200
PAUSE_S: Final = 0.1
# Of whole events.
_PAGE_BYTES: Final = 1_000_000
_BEHIND: Final = 10_000
_BEHIND_MAX: Final = 1_000_000
# Where one is, is told after so many events that nobody wanted: who asks for a moment only, and goes on where that has
# ended, must not read the same page for ever.
_TOLD_EACH: Final = PAGE_EVENTS


@frozen
class _Wanted:
    runs: RunFilter
    kinds: frozenset[int]
    behind_max: int
    whole: bool


@define
class _Place:
    """Where a listener is in the log."""

    position: int
    told: int
    dropped: int = 0
    names: EventNames = field(factory=EventNames)


class EventService:
    def __init__(self, loop: EngineLoop, limits: Limits, archive: Archive, nursery: trio.Nursery) -> None:
        self._loop = loop
        self._limits = limits
        self._archive = archive
        self._nursery = nursery
        self._streams = EndlessStreams()
        self.drain = self._streams.drain

    def methods(self) -> list[Method]:
        return [Method(_PATH, self.follow_events, "unary")]

    @refusing
    def follow_events(self, call: Call, message: bytes) -> None:
        request = pb.FollowEventsRequest.FromString(message)
        wanted = self._wanted(request)
        begin = partial(_begin, request)
        self._nursery.start_soon(stream_later, call, partial(self._follow, call, wanted, begin))

    def _wanted(self, request: pb.FollowEventsRequest) -> _Wanted:
        if request.last > self._limits.list_max:
            raise InvalidArgument(f"last is {request.last}; at most {self._limits.list_max}", field="last")
        if request.behind_max > _BEHIND_MAX:
            raise InvalidArgument(f"behind_max is {request.behind_max}; at most {_BEHIND_MAX}", field="behind_max")
        for kind in request.kinds:
            if kind not in KIND_NUMBERS:
                raise InvalidArgument(
                    f"{kind[:100]!r} is no kind of event; there are {', '.join(KIND_NUMBERS)}", field="kinds"
                )
        return _Wanted(
            parse_filter(request.filter, self._loop.clock.now()),
            frozenset(KIND_NUMBERS[kind] for kind in request.kinds),
            request.behind_max or _BEHIND,
            request.whole,
        )

    async def _follow(self, call: Call, wanted: _Wanted, begin: Callable[[Reader], int]) -> None:
        if len(self._streams) >= self._limits.listeners_max:
            raise LimitExceeded(f"{len(self._streams)} programs listen to all events; no room for another")
        with self._streams.keep(call), self._loop.followers.listen() as listener:
            position = await self._archive.read(begin)
            place = _Place(position, position)
            call.send(pb.LoggedEvent(position=position).SerializeToString())
            while True:
                listener.clear()
                before = place.position
                for event in await self._archive.read(partial(_page, wanted, place), is_content=True):
                    await room(call)
                    call.send(event.SerializeToString())
                await trio.sleep(PAUSE_S)
                if place.position == before:
                    await listener.news.wait()


def _begin(request: pb.FollowEventsRequest, reader: Reader) -> int:
    newest = reader.newest_position()
    if request.HasField("after_position"):
        # A log that was replaced by an older one has no such place.
        return min(request.after_position, newest)
    return max(newest - request.last, 0)


def _page(wanted: _Wanted, place: _Place, reader: Reader) -> list[pb.LoggedEvent]:
    """What follows in the log and is wanted; in the reader's thread."""
    newest = reader.newest_position()
    if newest - place.position > wanted.behind_max:
        skipped = newest - wanted.behind_max // 2 - place.position
        place.position += skipped
        place.dropped += skipped
    rows = reader.log_after(place.position, PAGE_EVENTS)
    runs: dict[int, RunRow | None] = {}
    found: list[pb.LoggedEvent] = []
    size = 0
    for position, row in rows:
        place.position = position
        if wanted.kinds and row.kind not in wanted.kinds:
            if row.kind in NAMING_NUMBERS:
                place.names.learn(row.run_key, row.body)
            continue
        if row.run_key not in runs:
            runs[row.run_key] = _meant(wanted, row.run_key, reader)
        run = runs[row.run_key]
        if run is None:
            continue
        event = logged_event(position, row.run_key, row.body, place.names, whole=wanted.whole)
        event.workflow_id, event.run_id = run.workflow_id, run.run_id
        event.workflow_type, event.task_queue = run.type, run.queue
        found.append(event)
        size += len(row.body)
        if wanted.whole and size > _PAGE_BYTES:
            break
    if not found and (place.dropped or place.position - place.told >= _TOLD_EACH):
        found = [pb.LoggedEvent(position=place.position)]
    if found:
        found[0].dropped, place.dropped = place.dropped, 0
        place.told = place.position
    return found


def _meant(wanted: _Wanted, run_key: int, reader: Reader) -> RunRow | None:
    try:
        run = reader.run_by_key(run_key)
        return run if run is not None and wanted.runs.matches(run, reader.run_by_key) else None
    except StoreDamaged:
        return None  # left out, as its events would be
