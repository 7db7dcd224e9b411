"""Asks the server again and again for what the screen needs. When it does not answer, asks again later, ever later.

No answer spoils the dashboard: whatever goes wrong here is told as the reason why there is nothing new.
"""

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol, TypeVar

import trio
from attrs import define, field, frozen

from aether import AetherError, Client, Event, Handle, InvalidArgument, TimelineRow, WorkflowInfo, WorkflowNotFound
from aether_tui.known import Known, Look, RunKey, RunLook
from aether_tui.ui import Ui, View

T = TypeVar("T")

RUNS_MAX: Final = 200
_ANSWER_S: Final = 5.0
_BACKOFF_S: Final = 0.5
_BACKOFF_FACTOR: Final = 1.6
_BACKOFF_MAX_S: Final = 10.0
# What is dear to ask is asked so seldom that it takes a small part of the time.
_DEAR: Final = 10


@frozen
class Wants:
    """What the screen needs, and how often."""

    filter: str = ""
    rate_s: float = 1.0
    run: RunKey | None = None
    # Of a recording; a server goes on anyhow.
    is_paused: bool = False


def wants_of(ui: Ui) -> Wants:
    run = ui.opened[-1] if ui.view is View.RUN else None
    return Wants(ui.filter, ui.rate_s, run, ui.is_frozen)


class Feed(Protocol):
    """Where looks come from: a server, or a recording."""

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        """For ever: hand what is seen to `known`, and say so."""

    def nudge(self) -> None:
        """Look now: something else is wanted."""


@define
class LiveFeed:
    """Of a server. `now_us` is the wall clock of whoever watches."""

    client: Client
    now_us: Callable[[], int]
    _nudge: trio.Event = field(factory=trio.Event)
    _run: "_RunFeed | None" = None

    def nudge(self) -> None:
        self._nudge.set()

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        async with self.client:
            await self._watch(wants, known, changed)

    async def _watch(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        backoff_s = _BACKOFF_S
        while True:
            self._nudge = trio.Event()
            wanted = wants()
            pause_s = wanted.rate_s
            try:
                with trio.fail_after(_ANSWER_S):
                    is_first = known.look is None
                    known.take_look(await look(self.client, wanted.filter, self.now_us, is_first=is_first))
                    await self._look_at_run(wanted, known)
                backoff_s = _BACKOFF_S
            except trio.TooSlowError:
                known.take_lost(f"no answer within {_ANSWER_S:g} s", *self._later(backoff_s))
                pause_s = backoff_s
            except Exception as error:  # noqa: BLE001 - whatever the server answers, the dashboard stays
                reason = str(error) if isinstance(error, AetherError) else f"not understood: {error!r}"
                known.take_lost(reason, *self._later(backoff_s))
                pause_s = backoff_s
            if known.lost is not None:
                backoff_s = min(backoff_s * _BACKOFF_FACTOR, _BACKOFF_MAX_S)
            changed()
            with trio.move_on_after(pause_s):
                await self._nudge.wait()

    def _later(self, pause_s: float) -> tuple[int, int]:
        now_us = self.now_us()
        return now_us, now_us + int(pause_s * 1e6)

    async def _look_at_run(self, wanted: Wants, known: Known) -> None:
        if wanted.run is None:
            self._run = None
            return
        if self._run is None or self._run.key != wanted.run:
            self._run = _RunFeed(wanted.run, self.client.handle(*wanted.run))
        known.take_run(await self._run.look(self.now_us))


async def look(client: Client, filter_text: str, now_us: Callable[[], int], *, is_first: bool = True) -> Look:
    """One look at the server: its numbers, the first time with those of the last hour, and the newest runs."""
    metrics = await client.metrics(samples=is_first)
    fault = ""
    runs: tuple[WorkflowInfo, ...] = ()
    try:
        runs = tuple([info async for info in listed(client, filter_text)])
    except InvalidArgument as error:
        fault = str(error)
    return Look(now_us(), metrics, runs, filter_text, fault)


def listed(client: Client, filter_text: str) -> AsyncIterator[WorkflowInfo]:
    return client.list(filter_text, limit=RUNS_MAX)


@define
class _RunFeed:
    """What is known of one run; only what is new is asked for."""

    key: RunKey
    _handle: Handle[object]
    _seen: RunLook | None = None
    _events: list[Event] = field(factory=list)
    _timeline: tuple[TimelineRow, ...] = ()
    _timeline_seq: int = -1
    _not_before: float = 0.0

    async def look(self, now_us: Callable[[], int]) -> RunLook:
        seen = self._seen
        if seen is not None and self._is_whole(seen):
            return seen
        try:
            status = await self._handle.status()
        except WorkflowNotFound as error:
            return RunLook(now_us(), self.key, None, fault=str(error))
        count = len(self._events)
        if status.info.history_length > count:
            async for event in self._handle.history(after_seq=self._events[-1].seq if self._events else 0):
                self._events.append(event)
        why = str(await self._handle.why()) if not status.state.is_closed or seen is None else ""
        if self._timeline_seq < len(self._events) and trio.current_time() >= self._not_before:
            begun = trio.current_time()
            self._timeline = tuple(await self._handle.timeline())
            self._timeline_seq = len(self._events)
            self._not_before = trio.current_time() + _DEAR * (trio.current_time() - begun)
        events = tuple(self._events) if seen is None or len(self._events) > len(seen.events) else seen.events
        self._seen = RunLook(now_us(), self.key, status, events, self._timeline, why)
        return self._seen

    def _is_whole(self, seen: RunLook) -> bool:
        """Nothing more will come."""
        is_closed = seen.status is not None and seen.status.state.is_closed
        return is_closed and len(seen.events) == self._timeline_seq


async def look_at_run(client: Client, key: RunKey, now_us: Callable[[], int]) -> RunLook:
    """One run, once."""
    return await _RunFeed(key, client.handle(*key)).look(now_us)
