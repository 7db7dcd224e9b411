"""Large values arrive as they were, whichever way they take."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import aether

pytestmark = pytest.mark.anyio
LARGE = 300_000


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.mark.parametrize("make", [lambda: b"\xff" * LARGE, lambda: "x" * LARGE], ids=["bytes", "text"])
async def test_large_values_arrive_as_they_were(tmp_path: Path, make: Callable[[], str | bytes]) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))

    @client.workflow("child")
    async def child(ctx: aether.Context, text: str) -> str:
        return text

    @client.workflow("parent")
    async def parent(ctx: aether.Context) -> int:
        made = make()
        assert await ctx.step("read", make) == made
        assert await ctx.parallel([lambda: ctx.step("read", make)] * 2) == [made, made]
        assert await ctx.activity(read) == b"\xff" * LARGE
        assert await ctx.child(child, "y" * LARGE) == "y" * LARGE
        return await ctx.step("last", lambda: 1)

    @client.activity("read")
    async def read() -> bytes:
        return b"\xff" * LARGE

    @client.workflow("whole")
    async def whole(ctx: aether.Context) -> bytes:
        return b"\xff" * LARGE

    async with client.serve():
        assert await parent.start_and_wait() == 1
        assert await whole.start_and_wait() == b"\xff" * LARGE
        assert await (await whole.options(workflow_id="w").start()).result() == b"\xff" * LARGE
        # The run is closed, so this is read from disk.
        assert await client.handle("w", result_type=bytes).result() == b"\xff" * LARGE


async def test_much_at_a_time_is_sent_as_there_is_room() -> None:
    client = aether.Client(db="memory")

    @client.activity("measure")
    async def measure(data: bytes) -> int:
        return len(data)

    @client.workflow("many")
    async def many(ctx: aether.Context, count: int) -> int:
        return sum(await ctx.parallel([lambda: ctx.activity(measure, b"x" * 1_000_000)] * count))

    # More than may wait in one stream, there and back.
    async with client.serve():
        assert await many.start_and_wait(40) == 40_000_000


async def test_many_starts_at_a_time_keep_their_connection(caplog: pytest.LogCaptureFixture) -> None:
    client = aether.Client(db="memory")

    @client.workflow("size")
    async def size(ctx: aether.Context, data: bytes) -> int:
        return len(data)

    # More than may wait in one connection.
    async with client.serve(), anyio.create_task_group() as group:
        for _ in range(90):
            group.start_soon(size.start_and_wait, b"x" * 1_000_000)
    assert caplog.messages == []


async def test_many_results_at_a_time_keep_their_connection(caplog: pytest.LogCaptureFixture) -> None:
    client = aether.Client(db="memory")

    @client.workflow("large")
    async def large(ctx: aether.Context) -> bytes:
        await ctx.wait_signal("go")
        return b"x" * 1_000_000

    received: list[int] = []

    async def receive(handle: aether.Handle[bytes]) -> None:
        received.append(len(await handle.result()))

    # More than may wait in one connection.
    async with client.serve():
        handles = await client.start_many([large.prepare() for _ in range(100)])
        for handle in handles:
            await handle.signal("go")
        for handle in handles:
            await handle.result()
        async with anyio.create_task_group() as group:
            for handle in handles:
                group.start_soon(receive, handle)
        assert received == [1_000_000] * 100
    told = {record.message for record in caplog.records}
    assert told == set()
