"""Sends spans of runs that are closed to an OpenTelemetry collector, from what is on disk.

Nothing of it is on the way of a run: when the last event of one is durable its key is put into a line, and a task of
its own reads the history, makes spans and sends them from a thread. When the collector does not take them they wait,
and when too many wait the oldest are dropped and that is said.
"""

import http.client
import json
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import trio

from aether.core.timeline import Timeline
from aether.model import events as e
from aether.server.archive import PAGE_EVENTS, Archive
from aether.server.spans import Identity, Span, request_of, span_id, spans_of, trace_of
from aether.server.telemetry import Log
from aether.store.interface import Reader, StoreError
from aether.version import VERSION
from aether.wire.convert import decode_event

log = Log("aether.server")

WAITING_MAX: Final = 10_000
_BATCH: Final = 50
_ANCESTORS_MAX: Final = 64
_PAUSES_S: Final = (1.0, 60.0)
_POST_S: Final = 10.0
_PATH: Final = "/v1/traces"


class Tracer:
    """`closed` is told each run; `run` is the task."""

    def __init__(self, archive: Archive, endpoint: str, node: str) -> None:
        self._archive = archive
        self._endpoint = endpoint
        self._node = node
        self._waiting: deque[int] = deque()
        self._something = trio.Event()
        self.dropped = 0

    def closed(self, run_key: int) -> None:
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(run_key)
        self._something.set()

    async def run(self) -> None:
        while True:
            if not self._waiting:
                self._something = trio.Event()
                await self._something.wait()
            keys = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            spans: list[Span] = []
            for key in keys:
                try:
                    spans += await self._archive.read(partial(_spans, key))
                except StoreError as fault:
                    log.error("trace_unreadable", run_key=key, error=str(fault))
            body = json.dumps(request_of(spans, VERSION, self._node)).encode()
            await self._send(partial(self._post, body))

    async def _send(self, post: Callable[[], Awaitable[None]]) -> None:
        """Until it is taken, or refused for good."""
        pause_s, pause_max_s = _PAUSES_S
        while True:
            try:
                await post()
            except OSError as fault:
                log.warning("traces_not_sent", error=str(fault), waiting=len(self._waiting), dropped=self.dropped)
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, pause_max_s)
            else:
                return

    async def _post(self, body: bytes) -> None:
        status = await trio.to_thread.run_sync(_post, self._endpoint, body)
        if status in {429, 502, 503, 504}:
            raise OSError(f"the collector answers {status}")
        if status >= 300:
            log.error("traces_refused", status=status)


def _post(endpoint: str, body: bytes) -> int:
    where = urlsplit(endpoint)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=_POST_S)
    try:
        connection.request("POST", where.path.rstrip("/") + _PATH, body, {"content-type": "application/json"})
        return connection.getresponse().status
    except http.client.HTTPException as fault:
        raise OSError(f"no answer in HTTP: {type(fault).__name__}") from fault
    finally:
        connection.close()


def _spans(run_key: int, reader: Reader) -> list[Span]:
    """In the reader's thread."""
    timeline, created = Timeline(), None
    while True:
        page = reader.events(run_key, timeline.last_seq, PAGE_EVENTS)
        for row in page:
            event = decode_event(row.body)
            created = created or event.fact
            timeline.add(event)
        if len(page) < PAGE_EVENTS:
            break
    if not isinstance(created, e.RunCreated):
        return []  # removed since
    trace_id, parent_span = _origin(run_key, created, reader)
    identity = Identity(
        created.workflow_id,
        created.run_id,
        created.workflow_type,
        created.task_queue,
        trace_id,
        parent_span,
        created.forked_from_run_id,
    )
    return spans_of(timeline.rows(), identity)


def _origin(run_key: int, created: e.RunCreated, reader: Reader) -> tuple[str, str]:
    """(trace, parent span): of a child those of its first ancestor, and the place where its parent started it."""
    first = created
    row = reader.run_by_key(run_key)
    for _ in range(_ANCESTORS_MAX):
        above = reader.run_by_key(row.parent_key) if row is not None and row.parent_key is not None else None
        page = reader.events(above.key, 0, 1) if above is not None else []
        fact = decode_event(page[0].body).fact if page else None
        if not isinstance(fact, e.RunCreated):
            break
        first, row = fact, above
    trace_id, parent_span = trace_of(first.traceparent, first.run_id)
    if created.parent_run_id:
        parent_span = span_id(created.parent_run_id, created.parent_path)
    return trace_id, parent_span
