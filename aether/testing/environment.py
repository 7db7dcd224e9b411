"""What users test their workflows in: the real engine, server and SDK in one Trio run on a virtual clock.

Time passes only when everything waits, and then at once up to the next moment that somebody waits for. So an hour's
sleep takes no time, and nothing that a test says about time depends on the machine.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar, overload

import sniffio
import trio
import trio.testing
from attrs import evolve, field, frozen

from aether.errors import InvalidArgument
from aether.model.events import Event, StepCompleted, StepFailed
from aether.model.limits import DEFAULT_LIMITS
from aether.sdk.client import Client
from aether.sdk.converters import Converter
from aether.sdk.define import Activity, is_coroutine_function
from aether.sdk.handle import Handle
from aether.sdk.session import Outcomes, Session, WorkerSettings
from aether.sdk.transport import Transport, TransportStream
from aether.sdk.views import Pending
from aether.sdk.worker import Worker
from aether.testing.disk import Disk, Moods, Reliable
from aether.testing.node import Node
from aether.wire.convert import decode_event
from aether.wire.limits import TransportLimits

P = ParamSpec("P")
R = TypeVar("R")

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECADE_S: Final = DEFAULT_LIMITS.delay_max_ms / 1000
# Signs of life would be most of what happens in a test that sleeps for a month.
_LIMITS: Final = evolve(DEFAULT_LIMITS, session_timeout_ms=DEFAULT_LIMITS.delay_max_ms)
_TRANSPORT: Final = TransportLimits(keepalive_s=_DECADE_S)


class InlineLane:
    """Functions that might block are called where they are: a clock that jumps must not overtake a thread."""

    def __init__(self, calls_max: int) -> None: ...

    async def call(self, function: Callable[[], Any], *, is_abandoned: bool = False) -> Any:
        await trio.lowlevel.checkpoint()

        def in_thread() -> Any:
            return function()

        return in_thread()


@frozen
class StepRun:
    """A step's function was called. `is_late`: although its outcome was on disk already."""

    run_id: str
    path: str
    name: str
    is_late: bool


class _WatchedSession(Session):
    """Tells which functions of steps are called."""

    on_step: Callable[[str, str, str], None]

    def reuse(self, run_id: str, path: str) -> Any:
        found = super().reuse(run_id, path)
        if found is None:
            run = next(run for run in self._runs.values() if run.run_id == run_id)
            self.on_step(run_id, path, run.replay.waiters[path].name)
        return found


@frozen
class Replacements:
    """Activities that tests do not want to be done, and what is called in their place."""

    by_name: dict[str, Activity[..., Any]] = field(factory=dict)

    @overload
    def replace(self, activity: Activity[P, R], fake: Callable[P, Awaitable[R]], /) -> None: ...
    @overload
    def replace(self, activity: Activity[P, R], fake: Callable[P, R], /) -> None: ...
    def replace(self, activity: Activity[P, Any], fake: Callable[P, Any], /) -> None:
        """Have `fake` called, async or plain, with the same arguments; retries and bounds stay as they are."""
        if not isinstance(activity, Activity):
            raise InvalidArgument(f"only activities can be replaced, which @client.activity made, not {activity!r}")
        self.by_name[activity.name] = evolve(activity, function=fake, is_async=is_coroutine_function(fake))


class _Layered(Mapping[str, Activity[Any, Any]]):
    """Looked up at each attempt, so that a test may replace an activity while it runs."""

    def __init__(self, above: Mapping[str, Activity[Any, Any]], below: Mapping[str, Activity[Any, Any]]) -> None:
        self._above = above
        self._below = below

    def __getitem__(self, name: str) -> Activity[Any, Any]:
        return self._above.get(name) or self._below[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._below)

    def __len__(self) -> int:
        return len(self._below)


class Environment:
    """A server and a worker of one client. Made by `environment`, or by a `Testbed`."""

    def __init__(self, client: Client, replacements: Replacements, start: datetime, moods: Moods | None) -> None:
        self.client = client
        self.disk = Disk(moods or Reliable())
        self.step_runs: list[StepRun] = []
        self._replacements = replacements
        self._started_at = trio.current_time()
        self._wall_us = (start - _EPOCH) // timedelta(microseconds=1)
        self._node = Node(self.disk, lambda: self._now_us() * 1000, limits=_LIMITS, transport=_TRANSPORT)
        self._worker_scope = trio.CancelScope()

    def replace(self, activity: Activity[P, R], fake: Callable[P, Awaitable[R]] | Callable[P, R], /) -> None:
        """Have `fake` called in place of the activity, from its next attempt on."""
        self._replacements.replace(activity, fake)

    def now(self) -> datetime:
        """The virtual time, which is also the server's."""
        return _EPOCH + timedelta(microseconds=self._now_us())

    async def sleep(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Let so much time pass. Everything that is due meanwhile happens at its time."""
        await trio.sleep(seconds + 60 * minutes + 3600 * hours + 86400 * days)

    async def settle(self) -> None:
        """Let everything happen that can happen now, without time passing."""
        await trio.testing.wait_all_tasks_blocked()

    async def history(self, handle: Handle[Any]) -> list[Event]:
        """The events of a run so far."""
        return [event async for event in handle.history()]

    async def pending(self, handle: Handle[Any]) -> tuple[Pending, ...]:
        """What an open run waits for."""
        return (await handle.status()).pending

    def crash_worker(self) -> None:
        """The worker is gone, with all it had in memory; another one comes at once."""
        self._worker_scope.cancel()

    def crash_server(self, *, keeps_unsynced: bool = False) -> None:
        """The server is gone, with all that was not on disk; another one comes at once, and worker and client return.

        A commit that is under way is lost, or, with `keeps_unsynced`, on disk and acknowledged to nobody.
        """
        self._node.crash(keeps_unsynced=keeps_unsynced)

    async def describe_waiting(self) -> str:
        """What the open runs wait for, in words for people."""
        lines = []
        async for info in self.client.list():
            if not info.state.is_closed:
                handle = self.client.handle(info.workflow_id)
                status = await handle.status()
                if status.blocked and status.failure is not None:
                    doing = f"is blocked, for its code does not fit its history: {status.failure.message}"
                else:
                    waits = [f"{item.kind} {item.name}".strip() for item in status.pending]
                    doing = f"waits for {', '.join(waits) or 'a message'}"
                lines.append(f"{info.workflow_type} {info.workflow_id!r} {doing}")
        return "; ".join(lines) or "no run is open"

    def _now_us(self) -> int:
        return self._wall_us + int((trio.current_time() - self._started_at) * 1e6)

    # The tasks.

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        client = self.client
        if client.make_transport is not None:
            raise InvalidArgument("this client has a test environment already")
        client.make_transport = lambda: Transport(self._node.connect, limits=_TRANSPORT)
        # Raised at the end, outside of the nursery that would wrap it.
        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._run_server)
                async with client:
                    await nursery.start(self._run_workers)
                    try:
                        yield
                    except Exception as error:  # noqa: BLE001
                        failure = error
                    nursery.cancel_scope.cancel()
        finally:
            client.make_transport = None
        if failure is not None:
            raise failure

    async def _run_server(self, *, task_status: trio.TaskStatus[None]) -> None:
        await self._node.run(task_status=task_status)
        while self._node.has_crashed:
            await self._node.run()

    async def _run_workers(self, *, task_status: trio.TaskStatus[None]) -> None:
        first: trio.TaskStatus[None] | None = task_status

        def registered() -> None:
            nonlocal first
            if first is not None:
                first.started()
                first = None

        while True:
            settings = evolve(self.client.worker_settings(), make_lane=InlineLane, is_watched=False)
            settings = evolve(settings, activities=_Layered(self._replacements.by_name, settings.activities))
            worker = Worker(self.client.transport, settings, self.client.converter, make_session=self._new_session)
            with trio.CancelScope() as self._worker_scope:
                await worker.run(registered)

    def _new_session(
        self, settings: WorkerSettings, converter: Converter, outcomes: Outcomes, stream: TransportStream
    ) -> Session:
        session = _WatchedSession(settings, converter, outcomes, stream)
        session.on_step = self._note_step
        return session

    def _note_step(self, run_id: str, path: str, name: str) -> None:
        self.step_runs.append(StepRun(run_id, path, name, self._is_recorded(run_id, path)))

    def _is_recorded(self, run_id: str, path: str) -> bool:
        row = next(row for row in self.disk.runs.values() if row.run_id == run_id)
        facts = [decode_event(event.body).fact for event in self.disk.logs[row.key]]
        return any(isinstance(fact, StepCompleted | StepFailed) and fact.path == path for fact in facts)


@contextmanager
def silence() -> Iterator[None]:
    """Within the block nothing is logged: that connections are lost is what was ordered."""
    logger = logging.getLogger("aether")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@asynccontextmanager
async def environment(client: Client, *, start: datetime = START) -> AsyncIterator[Environment]:
    """A server and a worker of `client` for as long as the block lasts, in a Trio run whose clock is virtual.

    Raises `InvalidArgument` where time is real: then a `Testbed` brings a Trio run of its own.
    """
    if sniffio.current_async_library() != "trio" or not isinstance(
        trio.lowlevel.current_clock(), trio.testing.MockClock
    ):
        raise InvalidArgument(
            "time is real in this event loop: use aether.testing.Testbed, whose tests bring a loop of their own, or "
            "Trio with trio.testing.MockClock(autojump_threshold=0), which pytest-trio calls autojump_clock"
        )
    opened = Environment(client, Replacements(), start, None)
    async with opened.run():
        yield opened
