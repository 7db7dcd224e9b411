"""Mode `snapshot` with real processes: what a SIGKILL takes away, what it does not, and who goes on how after it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trio

import aether
from aether.errors import StaleLease, WorkflowNotFound
from aether.model.events import Event
from aether.server.settings import Persistence
from aether.store.sqlite import SqliteStore
from aether.wire.convert import encode_event
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from tests.integration.peers import Peer, ServerProcess, done, payload, peer_of, step

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90), pytest.mark.parametrize("anyio_backend", ["trio"])]

NEVER_S = 3600.0
TEN_STEPS = Path(__file__).with_name("ten_steps.py")


class Place:
    """A server that only writes when it must, and can be killed and started again in the same place."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "aether.db"
        self.server: ServerProcess | None = None
        self.port = 0

    def start(self, mode: Persistence = Persistence.SNAPSHOT, interval_s: float = NEVER_S) -> str:
        self.server = ServerProcess.start(self.db, mode, self.port, snapshot_interval_s=interval_s)
        self.port = self.server.port
        return self.server.address

    def kill(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server = None

    @asynccontextmanager
    async def running(
        self, mode: Persistence = Persistence.SNAPSHOT, interval_s: float = NEVER_S
    ) -> AsyncIterator[Peer]:
        """Killed at the end of the block."""
        async with peer_of(self.start(mode, interval_s)) as peer:
            yield peer
            self.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    if made.server is not None:
        made.kill()


async def test_everybody_sees_what_was_acknowledged_while_the_server_lives(place: Place) -> None:
    async with place.running() as peer:
        assert not (await peer.start("a")).existing
        assert await peer.facts("a") == ["run_created"]
        listed = await peer.stream("AdminService/ListWorkflows", apb.ListRequest(), cpb.WorkflowInfo)
        assert [info.workflow_id for info in listed] == ["a"]
        assert (await peer.status("a")).persistence == "snapshot"
        worker = await peer.worker("t")
        token = (await worker.task()).token
        assert (await worker.complete(token, step("1"))).seq == 3
        metrics = await peer.call("AdminService/GetMetrics", apb.GetMetricsRequest(), apb.Metrics)
        assert (metrics.persistence, metrics.snapshot_interval_ms) == ("snapshot", 3_600_000)
        assert (await peer.facts("a"))[-1] == "step_completed"
        metrics = await peer.call("AdminService/GetMetrics", apb.GetMetricsRequest(), apb.Metrics)
        assert metrics.unwritten_ms == 0


async def test_the_result_of_a_run_outlives_a_kill_that_comes_right_behind_it(place: Place) -> None:
    async with place.running() as peer:
        await peer.start("a")
        worker = await peer.worker("t")
        token = (await worker.task()).token
        await worker.complete(token, step("1"))
        await worker.complete(token, done("42"))
    async with place.running() as peer:
        assert (await peer.result("a")).result.data == b"42"
        assert await peer.facts("a") == ["run_created", "run_started", "step_completed", "run_completed"]


async def test_who_waits_for_a_run_that_was_lost_is_told_so(place: Place) -> None:
    async with place.running() as peer:
        started = await peer.start("lost")
        await peer.start("kept")
        await peer.history("kept")
        await peer.start("lost too")
    async with place.running() as peer:
        assert (await peer.status("lost")).info.run_id == started.run_id
        with pytest.raises(WorkflowNotFound, match="no workflow 'lost too'"):
            await peer.result("lost too")
        assert not (await peer.start("lost too")).existing


async def test_a_run_goes_on_where_the_disk_has_it_and_what_came_later_is_refused(place: Place) -> None:
    async with place.running() as peer:
        await peer.start("a")
        worker = await peer.worker("t")
        lost = (await worker.task()).token
        await worker.complete(lost, step("1", "10"))
        await peer.history("a")
        await worker.complete(lost, step("2", "20"))
        assert (await worker.complete(lost, step("3", "30"))).seq == 5
        first = worker.registered.lineage
    async with place.running() as peer:
        worker = await peer.worker("t")
        assert worker.registered.lineage > first
        task = await worker.task()
        assert [str(event.WhichOneof("fact")) for event in task.workflow.events] == [
            "run_created",
            "run_started",
            "step_completed",
            "run_started",
        ]
        assert task.token > lost
        late = await worker.complete(lost, step("4", "40"), known_seq=5)
        assert (late.refusal.type, late.seq) == ("StaleLease", 0)
        with pytest.raises(StaleLease):
            request = wpb.CompleteStepRequest(token=lost, commands=[done()], known_seq=5, number=3)
            await peer.call("WorkerService/CompleteStep", request, wpb.CompleteStepResponse)
        assert (await worker.complete(task.token, step("2", "21"))).seq == 5
        assert (await peer.history("a"))[4].step_completed.result.data == b"21"


async def test_who_follows_a_history_is_shown_nothing_that_a_kill_takes_back(place: Place) -> None:
    seen: list[Event] = []

    async def until(count: int) -> None:
        while len(seen) < count:  # noqa: ASYNC110 - what would tell is what is tested
            await trio.sleep(0.005)

    async def collect(url: str) -> None:
        async with aether.Client(url) as client:
            async for event in client.handle("a").history(follow=True):
                seen.append(event)  # noqa: PERF401 - one by one, as they come

    async with trio.open_nursery() as nursery:
        async with place.running() as peer:
            await peer.start("a")
            worker = await peer.worker("t")
            lost = (await worker.task()).token
            nursery.start_soon(collect, f"http://{peer.address}")
            await until(2)
            await worker.complete(lost, step("1", "10"))
            await peer.history("a")
            await until(3)
            await worker.complete(lost, step("2", "20"))
            await worker.complete(lost, step("3", "30"))
        assert len(seen) == 3, "the others are in memory only"
        async with place.running() as peer:
            worker = await peer.worker("t")
            token = (await worker.task()).token
            await worker.complete(token, step("2", "21"))
            await worker.complete(token, done("1"))
            await until(6)
            assert [event.seq for event in seen] == [1, 2, 3, 4, 5, 6]
            assert [encode_event(event) for event in seen] == [
                event.SerializeToString() for event in await peer.history("a")
            ]


def child(path: str) -> wpb.Command:
    return wpb.Command(start_child=wpb.StartChild(path=path, workflow_type="t", workflow_id="kid", input=payload("1")))


async def test_a_child_of_the_lost_time_is_gone_with_what_its_parent_knew_of_it(place: Place) -> None:
    async with place.running() as peer:
        await peer.start("parent")
        worker = await peer.worker("t")
        token = (await worker.task()).token
        await peer.history("parent")
        await worker.complete(token, child("1"))
        lost = await peer.status("kid")
    async with place.running() as peer:
        with pytest.raises(WorkflowNotFound):
            await peer.status("kid")
        worker = await peer.worker("t")
        token = (await worker.task()).token
        await worker.complete(token, step("1"), child("2"))
        kid = await peer.status("kid")
        assert kid.info.parent_workflow_id == "parent"
        assert kid.info.run_id != lost.info.run_id


async def test_one_file_is_served_in_one_mode_after_the_other(place: Place) -> None:
    modes = (Persistence.SNAPSHOT, Persistence.STATE_ACTION_LOG, Persistence.SNAPSHOT, Persistence.STATE_ACTION_LOG)
    for number, mode in enumerate(modes):
        peer_address = place.start(mode)
        async with peer_of(peer_address) as peer:
            if number == 0:
                await peer.start("a")
            worker = await peer.worker("t")
            token = (await worker.task()).token
            await worker.complete(token, step(str(number + 1)))
            worker.stream.cancel()
            assert place.server is not None
            assert await trio.to_thread.run_sync(place.server.stop) == 0, "told to stop, it writes what it has"
    async with place.running() as peer:
        facts = await peer.facts("a")
        assert facts.count("step_completed") == 4


async def test_a_worker_does_not_mix_the_outcomes_of_lost_steps_with_new_ones(place: Place) -> None:
    """Step 2 rests on step 1, which is lost while step 2 runs: both run again, on each other."""
    client = aether.Client(f"http://{place.start()}")
    first_runs: list[int] = []
    is_killed = anyio.Event()

    @client.workflow("sum")
    async def add(ctx: aether.Context) -> list[int]:
        await ctx.step("kept", lambda: 0)
        await ctx.sleep(0.01)
        first = await ctx.step("first", draw)

        async def second() -> int:
            if len(first_runs) == 1:
                place.kill()
                is_killed.set()
            return first + 1

        return [first, await ctx.step("second", second)]

    async def draw() -> int:
        # What came before is on disk, this is not.
        if not first_runs:
            async for _ in client.handle("s").history():
                pass
        first_runs.append(len(first_runs) * 100)
        return first_runs[-1]

    async with client.serve(add):
        handle = await add.options(workflow_id="s").start()
        await is_killed.wait()
        place.start()
        with anyio.fail_after(30):
            assert await handle.result() == [100, 101]
    assert first_runs == [0, 100]


def start_worker(address: str, effects: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(TEN_STEPS), f"http://{address}", str(effects)]
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


async def test_what_is_lost_is_not_older_than_two_commits(place: Place, tmp_path: Path) -> None:
    """Counted, not timed: of the steps that a worker has seen acknowledged two commits ago, none is missing."""
    effects = tmp_path / "effects"
    effects.touch()
    address = place.start(interval_s=0.05)
    worker = start_worker(address, effects)

    def acknowledged() -> set[tuple[str, int]]:
        lines = [line.split() for line in effects.read_text().splitlines()]
        return {(run, int(number)) for word, run, number in lines if word == "acknowledged"}

    async def commits(peer: Peer) -> int:
        return (await peer.call("AdminService/GetMetrics", apb.GetMetricsRequest(), apb.Metrics)).commits

    try:
        async with peer_of(address) as peer:
            for number in range(20):
                await peer.start(f"r{number}", "[0.2]", workflow_type="ten-steps")
            while not (safe := acknowledged()):  # noqa: ASYNC110 - other processes bring it about
                await trio.sleep(0.005)
            before = await commits(peer)
            while await commits(peer) < before + 2:  # noqa: ASYNC110
                await trio.sleep(0.005)
            place.kill()
        seen = acknowledged()
    finally:
        worker.kill()
        worker.communicate()
    assert len(seen) > len(safe) > 0
    store = SqliteStore(str(place.db))
    store.open()
    reader = store.reader()
    kept = {
        (run.workflow_id, int(event.body.partition(b"step-")[2][:1]))
        for run in reader.open_runs()
        for event in reader.events(run.key, 0, 100)
        if b"step-" in event.body
    }
    reader.close()
    store.close()
    assert safe <= kept
