"""What the server tells by itself: events of all runs, and how one run goes on.

Events may be more than anybody can read: so many are taken in a while, the rest is left out by the server, and counted.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final

import trio
from attrs import define, field, frozen

from aether import AetherError, Client, Event, Handle, TimelineRow, WorkflowNotFound, WorkflowStatus
from aether_tui.facts import fact_subject, path_of
from aether_tui.known import Known, RunKey, RunLook

# What is new is shown at most so often; so many events are taken in that time.
_PAINT_S: Final = 0.25
_EVENTS_EACH: Final = 100
# How many events may wait until some are left out.
_BEHIND_MAX: Final = 500
_AGAIN_S: Final = 5.0
# What becomes of runs, and what goes wrong in them.
CHANGES: Final = (
    "RunCreated", "RunCompleted", "RunFailed", "RunCancelled", "RunPaused", "RunResumed", "CancelRequested",
    "StepFailed", "StepRetried", "ActivityFailed", "ActivityRetried", "ChildFailed",
)  # fmt: skip


def reason_of(error: Exception) -> str:
    return str(error) if isinstance(error, AetherError) else f"not understood: {error!r}"


@frozen
class LogWants:
    """Which events. Without `kinds` all; `last` of those that there are to begin with."""

    filter: str = ""
    kinds: tuple[str, ...] = ()
    last: int = 0


@define
class Soon:
    """Says that something has changed, but not each time: whoever paints can not keep up with a busy server."""

    _news: trio.Event = field(factory=trio.Event)

    def set(self) -> None:
        self._news.set()

    async def run(self, changed: Callable[[], None]) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            changed()
            await trio.sleep(_PAINT_S)


@define
class Listener:
    """To events, while somebody looks at the log. Goes on where it was when they are wanted again."""

    _wants: Callable[[], LogWants | None] = lambda: None
    _wanted: LogWants | None = None
    _heard: LogWants | None = None
    _after: int | None = None
    _fault: str = ""
    _scope: trio.CancelScope = field(factory=trio.CancelScope)

    def nudge(self) -> None:
        """Other events may be wanted."""
        if self._wants() != self._wanted:
            self._scope.cancel()

    async def run(
        self,
        client: Client,
        wants: Callable[[], LogWants | None],
        known: Known,
        changed: Callable[[], None],
        now_us: Callable[[], int],
    ) -> None:
        self._wants = wants
        while True:
            wanted = self._wanted = wants()
            with trio.CancelScope() as self._scope:
                if wanted is None:
                    await trio.sleep_forever()
                try:
                    await self._listen(client, wanted, known, changed)
                except Exception as error:  # noqa: BLE001 - whatever the server answers, the dashboard stays
                    if str(error) != self._fault:
                        self._fault = str(error)
                        known.note(now_us(), "FAILED", "events", reason_of(error))
                        changed()
                    await trio.sleep(_AGAIN_S)

    async def _listen(self, client: Client, wanted: LogWants, known: Known, changed: Callable[[], None]) -> None:
        if wanted != self._heard:
            known.forget_events()
            self._heard, self._after = wanted, None
        last = wanted.last if self._after is None else 0
        events = client.events(wanted.filter, kinds=wanted.kinds, last=last, after=self._after, behind_max=_BEHIND_MAX)
        count = 0
        async with aclosing(events):
            async for event in events:
                known.take_event(event)
                self._after, self._fault = event.position, ""
                changed()
                count += 1
                if count % _EVENTS_EACH == 0:
                    await trio.sleep(_PAINT_S)


@define
class RunFeed:
    """What is known of one run: its history and its timeline as they grow, and what it waits for, when it is asked."""

    key: RunKey
    _handle: Handle[object]
    _now_us: Callable[[], int]
    _events: list[Event] = field(factory=list)
    _names: dict[str, str] = field(factory=dict)
    _timeline: tuple[TimelineRow, ...] = ()
    _status: WorkflowStatus | None = None
    _why: str = ""
    _fault: str = ""
    _scope: trio.CancelScope = field(factory=trio.CancelScope)

    def stop(self) -> None:
        self._scope.cancel()

    async def follow(self, grown: Callable[[], None]) -> None:
        """Its history and its timeline, until it is closed, or `stop`. `show` what has come when there is time."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_persist, partial(self._follow_history, grown))
                nursery.start_soon(_persist, partial(self._follow_timeline, grown))

    def show(self, known: Known) -> None:
        known.take_run(self._look(known))

    async def look(self, known: Known) -> None:
        """How it is doing, if it may be doing something else by now."""
        before = self._status
        if before is None or not before.state.is_closed:
            try:
                self._status = await self._handle.status()
                self._why, self._fault = str(await self._handle.why()), ""
            except WorkflowNotFound as error:
                self._fault = str(error)
        self.show(known)

    async def whole(self, known: Known) -> None:
        """Everything that there is of it, once."""
        await self.look(known)
        if not self._fault:
            async for event in self._handle.history():
                self._take(event)
            self._timeline = tuple(await self._handle.timeline())
        self.show(known)

    def _look(self, known: Known) -> RunLook:
        before = known.run
        events = before.events if before is not None and before.key == self.key else ()
        if len(events) != len(self._events):
            events = tuple(self._events)
        return RunLook(
            self._now_us(), self.key, self._status, events, self._timeline, self._why, self._fault, self._names
        )

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if (path := path_of(event)) and (name := fact_subject(event)):
            self._names[path] = name

    async def _follow_history(self, grown: Callable[[], None]) -> None:
        after = self._events[-1].seq if self._events else 0
        async for event in self._handle.history(after_seq=after, follow=True):
            self._take(event)
            grown()

    async def _follow_timeline(self, grown: Callable[[], None]) -> None:
        async for rows in self._handle.follow_timeline():
            self._timeline = tuple(rows)
            grown()


async def _persist(follow: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await follow()
        except Exception:  # noqa: BLE001 - `look` says that there is no such run yet, or no server, or what else
            await trio.sleep(_AGAIN_S)
        else:
            return
