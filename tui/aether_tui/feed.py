"""Asks the server again and again for what the screen needs. When it does not answer, asks again later, ever later.

What happens, and how a run goes on, is not asked for again and again: the server tells (`following.py`).

No answer spoils the dashboard: whatever goes wrong here is told as the reason why there is nothing new.
"""

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import trio
from attrs import define, field, frozen

from aether import Client, InvalidArgument, WorkflowInfo
from aether_tui.following import Listener, LogWants, RunFeed, Soon, reason_of
from aether_tui.known import RUNS_MAX, Known, Look, RunKey
from aether_tui.listing import wants_oldest
from aether_tui.ui import Ui, View

_ANSWER_S: Final = 5.0
_BACKOFF_S: Final = 0.5
_BACKOFF_FACTOR: Final = 1.6
_BACKOFF_MAX_S: Final = 10.0
# Of what has happened before somebody looked at the log.
_LOG_BEGIN: Final = 200


@frozen
class Wants:
    """What the screen needs, and how often."""

    filter: str = ""
    rate_s: float = 1.0
    run: RunKey | None = None
    # None: nobody looks at the log.
    log: LogWants | None = None
    # Of a recording; a server goes on anyhow.
    is_paused: bool = False
    oldest_first: bool = False


def wants_of(ui: Ui) -> Wants:
    run = ui.opened[-1] if ui.view is View.RUN else None
    log = LogWants(ui.filter, last=_LOG_BEGIN) if ui.view is View.LOG else None
    return Wants(ui.filter, ui.rate_s, run, log, ui.is_frozen, wants_oldest(ui))


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
    _listener: Listener = field(factory=Listener)
    _soon: Soon = field(factory=Soon)
    _run: RunFeed | None = None

    def nudge(self) -> None:
        self._nudge.set()
        self._listener.nudge()

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        async with self.client, trio.open_nursery() as nursery:
            nursery.start_soon(self._soon.run, lambda: self._show(known, changed))
            nursery.start_soon(self._listener.run, self.client, lambda: wants().log, known, self._soon.set, self.now_us)
            await self._watch(nursery, wants, known, changed)

    def _show(self, known: Known, changed: Callable[[], None]) -> None:
        if self._run is not None:
            self._run.show(known)
        changed()

    async def _watch(
        self, nursery: trio.Nursery, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]
    ) -> None:
        backoff_s = _BACKOFF_S
        while True:
            self._nudge = trio.Event()
            wanted = wants()
            pause_s = wanted.rate_s
            try:
                with trio.fail_after(_ANSWER_S):
                    is_first = known.look is None
                    known.take_look(await look(self.client, wanted, self.now_us, is_first=is_first))
                    await self._look_at_run(nursery, wanted, known)
                backoff_s = _BACKOFF_S
            except trio.TooSlowError:
                known.take_lost(f"no answer within {_ANSWER_S:g} s", *self._later(backoff_s))
                pause_s = backoff_s
            except Exception as error:  # noqa: BLE001 - whatever the server answers, the dashboard stays
                known.take_lost(reason_of(error), *self._later(backoff_s))
                pause_s = backoff_s
            if known.lost is not None:
                backoff_s = min(backoff_s * _BACKOFF_FACTOR, _BACKOFF_MAX_S)
            changed()
            with trio.move_on_after(pause_s):
                await self._nudge.wait()

    def _later(self, pause_s: float) -> tuple[int, int]:
        now_us = self.now_us()
        return now_us, now_us + int(pause_s * 1e6)

    async def _look_at_run(self, nursery: trio.Nursery, wanted: Wants, known: Known) -> None:
        if self._run is not None and self._run.key != wanted.run:
            self._run.stop()
            self._run = None
        if wanted.run is None:
            return
        if self._run is None:
            self._run = RunFeed(wanted.run, self.client.handle(*wanted.run), self.now_us)
            nursery.start_soon(self._run.follow, self._soon.set)
        await self._run.look(known)


async def look(client: Client, wanted: Wants, now_us: Callable[[], int], *, is_first: bool = True) -> Look:
    """One look at the server: its numbers, the first time with those of the last hour, and the first runs."""
    metrics = await client.metrics(samples=is_first)
    gates = tuple(await client.queues())
    fault = ""
    runs: tuple[WorkflowInfo, ...] = ()
    try:
        runs = tuple([info async for info in listed(client, wanted)])
    except InvalidArgument as error:
        fault = str(error)
    return Look(now_us(), metrics, runs, wanted.filter, fault, gates, is_oldest_first=wanted.oldest_first)


def listed(client: Client, wanted: Wants) -> AsyncIterator[WorkflowInfo]:
    return client.list(wanted.filter, limit=RUNS_MAX, doing=True, oldest_first=wanted.oldest_first)
