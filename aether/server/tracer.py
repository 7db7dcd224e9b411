"""Tells an OpenTelemetry collector what happened: reads the log on disk, makes spans, sends them, notes how far it is.

Theory of operation. Nothing of it is on the way of a run. A task of its own reads the log behind the position that was
taken last, a page at a time, in a thread; what a page says has ended becomes spans, which are sent in one request. Only
then is the position noted in the store and the next page read, so at most one page is in memory, and what waits is the
log itself. A server that dies goes on behind the noted position: what was sent and not noted is sent again, with the
same ids. A collector that is away for so long that more than `BEHIND_MAX` events wait loses the oldest ones, and that
is told.
"""

import gzip
import http.client
import json
from collections import OrderedDict
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import trio
from attrs import frozen

from aether.server.archive import PAGE_EVENTS, Archive
from aether.server.engine_loop import EngineLoop
from aether.server.spans import RunSpans, Span, request_of
from aether.server.telemetry import Log
from aether.server.trace_stats import TraceStats
from aether.server.writer import BatchWriter
from aether.store.interface import EventRow, Reader, StoreDamaged, StoreError
from aether.version import VERSION
from aether.wire.convert import decode_event

log = Log("aether.server")

# The name under which the position is noted.
MARK: Final = "traces"
PAGE: Final = 500
# Where there is no disk the page is read where everybody else works.
_PAGE_IN_MEMORY: Final = 25
BEHIND_MAX: Final = 100_000
# Runs of which it is known what they have begun; of others it is read when they go on.
_RUNS_MAX: Final = 10_000
# In the place of a run with an event that cannot be read: what follows rests on it, and no more is told of the run.
_UNREADABLE: Final = RunSpans()
# What happens in this time is sent together.
_GATHER_S: Final = 1.0
_PAUSES_S: Final = (1.0, 60.0)
# For a whole request. A thread that a collector holds up longer is left to itself; there are never more than so many.
_POST_S: Final = 10.0
_THREADS_MAX: Final = 2
_PATH: Final = "/v1/traces"
_TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})


@frozen
class _Page:
    position: int
    behind: int
    dropped: int
    spans: int
    body: bytes


class Tracer:
    """`run` is the task."""

    def __init__(
        self, loop: EngineLoop, archive: Archive, writer: BatchWriter, endpoint: str, node: str, stats: TraceStats
    ) -> None:
        self._loop = loop
        self._archive = archive
        self._writer = writer
        self._endpoint = endpoint
        self._node = node
        self._stats = stats
        self._page_events = PAGE if archive.is_apart else _PAGE_IN_MEMORY
        self._runs: OrderedDict[int, RunSpans] = OrderedDict()
        self._threads = trio.CapacityLimiter(_THREADS_MAX)
        self._is_failing = False

    async def run(self) -> None:
        position = await self._begin()
        with self._loop.followers.listen() as listener:
            while True:
                listener.clear()
                page = await self._archive.read(partial(self._page, position), is_content=True)
                self._note(page, position)
                if page.spans:
                    await self._deliver(page)
                    await self._keep(page.position)
                self._stats.behind = page.behind
                is_at_end = page.position == position
                position = page.position
                if is_at_end:
                    await listener.news.wait()
                    await trio.sleep(_GATHER_S)

    async def _begin(self) -> int:
        """Where the last server came to; at the end of the log if there was none that sent spans."""

        def look(reader: Reader) -> tuple[int | None, int]:
            return reader.recall(MARK), reader.newest_position()

        kept, newest = await self._archive.read(look, is_content=True)
        if kept is None:
            await self._keep(newest)
            return newest
        # A log that was replaced by an older one has no such place.
        return min(kept, newest)

    async def _keep(self, position: int) -> None:
        try:
            await self._writer.between(lambda store: store.remember(MARK, position))
        except StoreError as fault:
            # Then a server that starts now sends them again.
            log.warning("traces_not_noted", error=str(fault))

    def _note(self, page: _Page, position: int) -> None:
        # What is in hand waits as well until it is taken.
        self._stats.behind = page.behind + page.position - position - page.dropped
        if page.dropped:
            self._stats.dropped += page.dropped
            log.warning("traces_dropped", events=page.dropped)

    # In the reader's thread.

    def _page(self, position: int, reader: Reader) -> _Page:
        newest = reader.newest_position()
        position = min(position, newest)
        dropped = 0
        if newest - position > BEHIND_MAX:
            dropped = newest - BEHIND_MAX // 2 - position
            position += dropped
        spans: list[Span] = []
        for at, row in reader.log_after(position, self._page_events):
            position = at
            try:
                spans += self._spans(row, reader)
            except Exception as fault:
                if isinstance(fault, StoreError) and not isinstance(fault, StoreDamaged):
                    raise  # of the disk, and not of this row
                self._keep_run(row.run_key, _UNREADABLE)
                log.error(
                    "trace_unreadable", run_key=row.run_key, seq=row.seq, error=f"{type(fault).__name__}: {fault}"
                )
        if not spans:
            return _Page(position, newest - position, dropped, 0, b"")
        document = json.dumps(request_of(spans, VERSION, self._node), separators=(",", ":"))
        return _Page(position, newest - position, dropped, len(spans), gzip.compress(document.encode(), 1))

    def _spans(self, row: EventRow, reader: Reader) -> list[Span]:
        run = self._runs.get(row.run_key)
        if run is _UNREADABLE:
            return []
        if run is None or run.last_seq != row.seq - 1:
            run = _known(row, reader)
            if run is None:
                return []  # removed since
        self._keep_run(row.run_key, run)
        spans = run.add(decode_event(row.body))
        if run.is_over:
            del self._runs[row.run_key]
        return spans

    def _keep_run(self, run_key: int, run: RunSpans) -> None:
        self._runs[run_key] = run
        self._runs.move_to_end(run_key)
        if len(self._runs) > _RUNS_MAX:
            self._runs.popitem(last=False)

    # Sending.

    async def _deliver(self, page: _Page) -> None:
        """Until it is taken, or refused for good."""
        pause_s, pause_max_s = _PAUSES_S
        while True:
            try:
                status = await self._post(page.body)
            except OSError as fault:
                self._stats.failures += 1
                self._is_failing = True
                log.warning("traces_not_sent", error=str(fault), behind=self._stats.behind, again_in_s=pause_s)
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, pause_max_s)
                continue
            if self._is_failing:
                self._is_failing = False
                log.info("traces_sent_again")
            if status < 300:
                self._stats.sent += page.spans
            else:
                self._stats.refused += page.spans
                log.error("traces_refused", status=status, spans=page.spans)
            return

    async def _post(self, body: bytes) -> int:
        with trio.move_on_after(_POST_S):
            status = await trio.to_thread.run_sync(
                _post, self._endpoint, body, abandon_on_cancel=True, limiter=self._threads
            )
            if status in _TRY_AGAIN:
                raise OSError(f"the collector answers {status}")
            return status
        raise OSError(f"the collector has not answered in {_POST_S:g} s")


def _post(endpoint: str, body: bytes) -> int:
    where = urlsplit(endpoint)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=_POST_S)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    try:
        connection.request("POST", where.path.rstrip("/") + _PATH, body, headers)
        return connection.getresponse().status
    except http.client.HTTPException as fault:
        raise OSError(f"no answer in HTTP: {type(fault).__name__}") from fault
    finally:
        connection.close()


def _known(row: EventRow, reader: Reader) -> RunSpans | None:
    """What the run has begun before that event; None if its history is gone."""
    run = RunSpans()
    while run.last_seq < row.seq - 1:
        limit = min(PAGE_EVENTS, row.seq - 1 - run.last_seq)
        page = reader.events(row.run_key, run.last_seq, limit)
        if not page:
            return None
        for before in page:
            run.add(decode_event(before.body))
    return run
