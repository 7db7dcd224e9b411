"""Blocks of one client in several tasks: each is connected, and ended, by itself."""

import asyncio
from pathlib import Path

import anyio
import pytest

import aether

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


async def is_connected(client: aether.Client) -> bool:
    return (await client.metrics()).runs == ()


async def test_a_block_that_outlasts_the_first_one_cancels_nothing_in_the_task_of_the_first(tmp_path: Path) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))
    second_is_in, first_is_out, second_is_out = anyio.Event(), anyio.Event(), anyio.Event()
    went_on = False

    async def second() -> None:
        async with client:
            second_is_in.set()
            await first_is_out.wait()
            assert await is_connected(client)
        second_is_out.set()

    async with anyio.create_task_group() as group:
        async with client:
            group.start_soon(second)
            await second_is_in.wait()
        first_is_out.set()
        await second_is_out.wait()
        await anyio.sleep(0.05)
        went_on = True
    assert went_on


async def test_blocks_that_begin_at_once_have_one_server_and_it_ends_with_the_last(tmp_path: Path) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))
    inside = 0
    all_are_in = anyio.Event()

    async def use() -> None:
        nonlocal inside
        async with client:
            inside += 1
            if inside == 5:
                all_are_in.set()
            await all_are_in.wait()
            assert await is_connected(client)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(use)
    # Its database is free.
    async with aether.Client(db=str(tmp_path / "aether.db")) as other:
        assert await is_connected(other)


async def test_a_block_within_a_block_of_the_same_task_shares_its_connection(tmp_path: Path) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))
    async with client:
        outer = client.transport
        async with client:
            assert client.transport is outer
        assert await is_connected(client)
    with pytest.raises(aether.InvalidArgument, match="not connected"):
        _ = client.transport


async def test_who_is_in_no_block_uses_the_oldest_and_who_is_in_one_uses_that(tmp_path: Path) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))
    seen: dict[str, object] = {}
    is_open, has_looked = anyio.Event(), anyio.Event()

    async def stranger() -> None:
        await is_open.wait()
        seen["stranger"] = client.transport
        has_looked.set()

    async def child() -> None:
        seen["child"] = client.transport
        async with client:
            seen["own"] = client.transport

    async with anyio.create_task_group() as group:
        group.start_soon(stranger)
        async with client:
            is_open.set()
            async with anyio.create_task_group() as inner:
                inner.start_soon(child)
            seen["block"] = client.transport
            await has_looked.wait()
    assert seen["stranger"] is seen["child"] is seen["block"]
    assert seen["own"] is not seen["block"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.003, 0.01, 0.03])
async def test_who_is_cancelled_while_the_server_starts_leaves_none_behind(tmp_path: Path, after_s: float) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))

    async def use() -> None:
        async with client:
            await asyncio.sleep(60)

    task = asyncio.create_task(use())
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with client:
        assert await is_connected(client)
    async with aether.Client(db=str(tmp_path / "aether.db")) as other:
        assert await is_connected(other)


async def test_a_database_that_is_in_use_is_said_to_each_block_and_waits_for_none(tmp_path: Path) -> None:
    client = aether.Client(db=str(tmp_path / "aether.db"))
    async with aether.Client(db=str(tmp_path / "aether.db")):
        for _ in range(2):
            with pytest.raises(aether.AetherError, match="in use"):
                async with client:
                    raise AssertionError("two servers have one database")
    async with client:
        assert await is_connected(client)
