"""A reference workflow, the places at which its server dies, and what must be the same as if it had not died.

`Lane` runs cases one after the other against servers of `dying_server.py`; several lanes run side by side.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio
from attrs import define, field, frozen

import aether
from aether.errors import WorkflowClosed, WorkflowNotFound
from aether.model import events as e
from aether.server.settings import Persistence
from aether.store.sqlite import SqliteStore
from aether.wire.convert import decode_event
from tests.processes import environment

PROGRAM = Path(__file__).with_name("dying_server.py")
MAIN, OTHER = "main", "other"
PATIENCE_S = 40


Death = tuple[int, int, str]
"""Run key, event and place; the first two are 0 for places of the start."""


@frozen
class Case:
    """How each server dies, the first one and those that are started after it; the last one lives."""

    deaths: tuple[Death, ...] = ()
    mode: Persistence = Persistence.STATE_ACTION_LOG
    # How far the clock of the machine goes forward with each new server.
    clock_step_s: int = 0
    # How much of the write-ahead log each death leaves: less than all of it is what a disk that lies makes of one.
    left: float = 1.0

    @property
    def may_lose(self) -> bool:
        """Whether what was acknowledged may be gone after a death."""
        return self.mode is Persistence.SNAPSHOT or self.left < 1

    def __str__(self) -> str:
        places = ", then ".join(f"{place} event {seq} of run {run_key}" for run_key, seq, place in self.deaths)
        return f"{self.mode}: {places}, {self.left:.0%} of the log left"


@define
class Seen:
    """What the world saw of one case."""

    notes: list[tuple[str, str, str]] = field(factory=list)
    results: dict[str, object] = field(factory=dict)
    deaths: int = 0

    def ran_again(self) -> list[tuple[str, str]]:
        """Steps that ran after they had been acknowledged."""
        acknowledged: set[tuple[str, str]] = set()
        again = []
        for word, run, name in self.notes:
            if word == "acknowledged":
                acknowledged.add((run, name))
            elif (run, name) in acknowledged:
                again.append((run, name))
        return again


class Forges:
    """Programs that fork servers, for several tests: to start one takes longer than some cases."""

    def __init__(self) -> None:
        self._idle: list[subprocess.Popen[bytes]] = []

    def take(self) -> subprocess.Popen[bytes]:
        if self._idle:
            return self._idle.pop()
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.dying_server"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def give_back(self, process: subprocess.Popen[bytes]) -> None:
        self._idle.append(process)

    def close(self) -> None:
        for process in self._idle:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


class Forge:
    """The program that forks servers, as one test sees it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._requests = trio.lowlevel.FdStream(os.dup(process.stdin.fileno()))
        self._answers = trio.lowlevel.FdStream(os.dup(process.stdout.fileno()))
        self._send, self._lines = trio.open_memory_channel[str](100)
        self._pid = 0
        self.port = 0
        # No server of it is left.
        self.is_idle = True

    async def read(self) -> None:
        rest = b""
        async for data in self._answers:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                await self._send.send(line.decode())

    async def start(self, case: Case, db: Path, die: Death | None, clock_s: int = 0) -> bool:
        """Start a server where the last one was. False: it died before it served."""
        request = {"db": str(db), "port": self.port, "mode": case.mode, "interval_s": 0.02, "die": die}
        request["clock_s"] = clock_s
        self.is_idle = False
        await self._requests.send_all(json.dumps(request).encode() + b"\n")
        self._pid = int((await self._line()).removeprefix("pid "))
        address = await self._line()
        if address.startswith("gone"):
            assert address == "gone -9", address
            return False
        self.port = int(address.rpartition(":")[2])
        return True

    async def wait(self) -> int:
        """Until the server is gone; how."""
        line = await self._lines.receive()
        assert line.startswith("gone "), line
        return int(line.removeprefix("gone "))

    async def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        assert await self.wait() == -9
        self.is_idle = True

    async def _line(self) -> str:
        with trio.fail_after(PATIENCE_S):
            return await self._lines.receive()

    async def close(self) -> None:
        with trio.CancelScope(shield=True):
            await self._requests.aclose()
            await self._answers.aclose()


class Lane:
    """Cases one after the other, each with a database of its own."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self._folder = folder
        self._forge = forge
        self._number = 0

    async def play(self, case: Case) -> tuple[Seen, Path]:
        """The reference workload with servers that die as the case says. What was seen, and the database."""
        self._number += 1
        db = self._folder / f"{self._number}.db"
        seen = Seen()
        plan: list[Death | None] = [*case.deaths, None]
        assert await self._forge.start(case, db, plan[0])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._start_again, case, db, plan[1:], seen)
            with trio.move_on_after(PATIENCE_S) as scope:
                await workload(f"http://127.0.0.1:{self._forge.port}", seen, may_lose=case.may_lose)
            assert not scope.cancelled_caught, f"{case}: did not end, {seen}"
            nursery.cancel_scope.cancel()
        await self._forge.kill()
        return seen, db

    async def _start_again(self, case: Case, db: Path, later: list[Death | None], seen: Seen) -> None:
        has_served = True
        for number, die in enumerate(later, start=1):
            if has_served:
                code = await self._forge.wait()
                assert code == -9, code
            seen.deaths += 1
            tear(db, case.left)
            with trio.CancelScope(shield=True):
                has_served = await self._forge.start(case, db, die, number * case.clock_step_s)


def tear(db: Path, left: float) -> None:
    log = db.with_name(f"{db.name}-wal")
    if left < 1:
        os.truncate(log, int(log.stat().st_size * left))


async def workload(url: str, seen: Seen, *, may_lose: bool) -> None:
    """Two runs with a worker and a client: one that does everything once, and one that is cancelled."""
    client = aether.Client(url)
    main, other = define_on(client, seen.notes)
    # Where what was acknowledged may be lost, whoever wants to be sure asks again.
    patience_s = 0.3 if may_lose else PATIENCE_S

    async def finish(handle: aether.Handle[list[object]]) -> None:
        while MAIN not in seen.results:
            try:
                with suppress(WorkflowClosed):
                    await handle.signal("go", 7, signal_id="once")
                with trio.move_on_after(patience_s):
                    seen.results[MAIN] = await handle.result()
            except WorkflowNotFound:
                if not may_lose:
                    raise
                handle = await main.options(workflow_id=MAIN).start(1)

    async def cancel(handle: aether.Handle[None]) -> None:
        has_asked = False
        while OTHER not in seen.results:
            try:
                # Only when it sleeps: where a cancel reaches a run is a part of its history.
                if "timer" in [each.kind for each in (await handle.status()).pending]:
                    with suppress(WorkflowClosed):
                        await handle.cancel("changed my mind")
                    has_asked = True
                if has_asked:
                    with trio.move_on_after(patience_s):
                        await handle.result()
                await trio.sleep(0.01)
            except aether.WorkflowCancelled as cancelled:
                seen.results[OTHER] = type(cancelled).__name__
            except WorkflowNotFound:
                if not may_lose:
                    raise
                handle = await other.options(workflow_id=OTHER).start()

    async with client.serve(), trio.open_nursery() as nursery:
        nursery.start_soon(finish, await main.options(workflow_id=MAIN).start(1))
        nursery.start_soon(cancel, await other.options(workflow_id=OTHER).start())


def define_on(
    client: aether.Client, notes: list[tuple[str, str, str]]
) -> tuple[aether.Workflow[[int], list[object]], aether.Workflow[[], None]]:
    @client.activity("charge", retry=aether.RetryPolicy(initial_s=0.01, max_attempts=20), start_to_close_s=20)
    async def charge(cents: int) -> str:
        if aether.activity_info().attempt == 1:
            raise ConnectionError("try again")
        return f"paid {cents}"

    @client.workflow("kid")
    async def kid(ctx: aether.Context, number: int) -> int:
        return await step(ctx, "kid-step", lambda: number * 10)

    @client.workflow("sleeper")
    async def sleeper(ctx: aether.Context) -> None:
        await ctx.sleep(days=1)

    async def step(ctx: aether.Context, name: str, function: Callable[[], int]) -> int:
        async def noted() -> int:
            notes.append(("ran", ctx.workflow_id, name))
            return function()

        value = await ctx.step(name, noted)
        notes.append(("acknowledged", ctx.workflow_id, name))
        return value

    @client.workflow("main")
    async def main(ctx: aether.Context, number: int) -> list[object]:
        first = await step(ctx, "first", lambda: number + 1)
        paid = await ctx.activity(charge, first)
        await ctx.sleep(0.01)
        child = await ctx.child(kid.options(workflow_id="kid"), first)
        told = await ctx.wait_signal("go", result_type=int)
        async with ctx.move_on_after(0.01) as deadline:
            await ctx.child(sleeper.options(workflow_id="sleeper"))
        last = await step(ctx, "last", lambda: child + told)
        return [paid, child, told, deadline.expired, last]

    @client.workflow("other")
    async def other(ctx: aether.Context) -> None:
        await step(ctx, "reserve", lambda: 1)
        try:
            await ctx.publish("is-ready", True)
            await ctx.sleep(days=1)
        finally:
            with ctx.shield():
                await step(ctx, "release", lambda: 2)

    return main, other


# Facts that say who did it and how often, which a crash may change; all others must be as they would have been.
CIRCUMSTANCES = (e.RunStarted, e.ActivityStarted, e.ActivityRetried, e.SignalReceived)


@frozen
class Told:
    """What the database tells in the end."""

    histories: dict[str, list[str]]
    signals: int
    faults: list[str]
    events: list[tuple[int, int]]


def read(db: Path) -> Told:
    store = SqliteStore(str(db))
    store.open()
    reader = store.reader()
    histories, signals, numbers = {}, 0, []
    for row in sorted(reader.list_runs(limit=100), key=lambda row: row.workflow_id):
        events = [decode_event(stored.body) for stored in reader.events(row.key, 0, 1_000)]
        numbers += [(row.key, event.seq) for event in events]
        signals += sum(isinstance(event.fact, e.SignalReceived) for event in events)
        told = [outline(event.fact) for event in events if not isinstance(event.fact, CIRCUMSTANCES)]
        # How far it gets before its time is over is a matter of luck.
        histories[row.workflow_id] = [told[0], told[-1]] if row.workflow_id == "sleeper" else told
    reader.close()
    store.close()
    return Told(histories, signals, list(SqliteStore(str(db)).check()), numbers)


def outline(fact: e.Fact) -> str:
    """A fact without what differs between any two runs: ids that were drawn, and times."""
    kept = [getattr(fact, name, None) for name in ("path", "name", "key", "workflow_id", "reason")]
    value = getattr(fact, "result", None) or getattr(fact, "value", None) or getattr(fact, "failure", None)
    words = [str(word) for word in kept if word]
    return " ".join([type(fact).__name__, *words, str(getattr(value, "data", value) or "")]).strip()


@asynccontextmanager
async def lanes(folder: Path, count: int, pool: Forges) -> AsyncIterator[list[Lane]]:
    forges: list[Forge] = []
    try:
        async with trio.open_nursery() as readers:
            made = []
            for number in range(count):
                (folder / str(number)).mkdir()
                forges.append(Forge(pool.take()))
                readers.start_soon(forges[-1].read)
                made.append(Lane(folder / str(number), forges[-1]))
            yield made
            readers.cancel_scope.cancel()
    finally:
        for forge in forges:
            await forge.close()
            if forge.is_idle:
                pool.give_back(forge.process)
            else:
                end(forge.process)
