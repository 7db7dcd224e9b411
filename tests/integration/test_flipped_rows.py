"""A bit flips in what is stored of a run: the server starts, everybody else is served, and nothing untrue is told."""

import shutil
from pathlib import Path

import apsw
import pytest

import aether
from aether import RunState
from aether.errors import WorkflowAlreadyExists, WorkflowClosed
from aether.store.interface import StoreDamaged, StoreError
from aether.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def client_of(db: Path) -> tuple[aether.Client, aether.Workflow[[str], str]]:
    client = aether.Client(db=str(db))

    @client.workflow("echo")
    async def echo(ctx: aether.Context, text: str) -> str:
        if text == "fails":
            raise ValueError("no")
        if text == "waits":
            await ctx.wait_signal("go")
        return text

    return client, echo


@pytest.fixture
async def sound(tmp_path: Path) -> Path:
    """One run that waits, one that completed, one that failed and one that was cancelled."""
    db = tmp_path / "sound" / "a.db"
    client, echo = client_of(db)
    async with client.serve():
        for name in ("waits", "ends", "fails"):
            await echo.options(workflow_id=name).start(name)
        assert await client.handle("ends").result() == "ends"
        with pytest.raises(aether.WorkflowFailed):
            await client.handle("fails").result()
        stopped = await echo.options(workflow_id="stops").start("waits")
        await stopped.cancel()
        with pytest.raises(aether.WorkflowCancelled):
            await stopped.result()
    return db


def changed(sound: Path, name: object, sql: str) -> Path:
    """A copy in which that was done."""
    copy = sound.parent.parent / f"copy-{name}" / "a.db"
    shutil.copytree(sound.parent, copy.parent)
    with apsw.Connection(str(copy)) as connection:
        connection.execute(sql)
    connection.close()
    return copy


STATES = {
    "waits": RunState.RUNNING,
    "ends": RunState.COMPLETED,
    "fails": RunState.FAILED,
    "stops": RunState.CANCELLED,
}


async def test_whichever_bit_flips_in_a_state_the_run_is_told_as_it_ended(sound: Path) -> None:
    for bit in (0, 1, 2, 3, 7, 40, 62):
        db = changed(sound, bit, f"UPDATE runs SET state = (state | {1 << bit}) - (state & {1 << bit})")
        client, echo = client_of(db)
        async with client.serve():
            assert {run.workflow_id: run.state async for run in client.list()} == STATES
            for name, state in STATES.items():
                assert (await client.handle(name).status()).state is state
                assert state.name in (await client.handle(name).why()).sentence or name == "waits"
            assert await client.handle("ends").result() == "ends"
            with pytest.raises(aether.WorkflowFailed):
                await client.handle("fails").result()
            with pytest.raises(aether.WorkflowCancelled):
                await client.handle("stops").result()
            with pytest.raises(WorkflowClosed, match="is CANCELLED already"):
                await client.handle("stops").signal("go")
            with pytest.raises(WorkflowAlreadyExists, match="COMPLETED"):
                await echo.options(workflow_id="ends", id_reuse="allow_if_failed").start("more")
            await client.handle("waits").signal("go")
            assert await client.handle("waits").result() == "waits"
            assert [run.workflow_id async for run in client.list("state:completed id:waits")] == ["waits"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE runs SET type = CAST(x'ff' AS TEXT) WHERE workflow_id = 'stops'",
        "UPDATE runs SET type = CAST(x'ff' AS TEXT) WHERE workflow_id = 'ends'",
        "UPDATE closed_counts SET type = CAST(x'ff' AS TEXT) WHERE state = 3",
        "UPDATE closed_counts SET count = count | (1 << 62)",
        "UPDATE closed_counts SET state = state | (1 << 6)",
    ],
)
async def test_what_is_stored_twice_or_of_one_run_keeps_nobody_from_the_others(sound: Path, sql: str) -> None:
    db = changed(sound, "row", sql)
    client, _ = client_of(db)
    async with client.serve():
        with pytest.raises(aether.WorkflowFailed):
            await client.handle("fails").result()
        await client.handle("waits").signal("go")
        assert await client.handle("waits").result() == "waits"
        await client.metrics()
    assert list(SqliteStore(str(db)).check())


async def test_a_run_whose_end_is_not_there_is_not_told_as_if_it_were(sound: Path) -> None:
    """As a fault in the index hides it: what is left of the history is whole."""
    db = changed(sound, "end", "DELETE FROM log WHERE run_key IN (2, 3) AND kind IN (12, 13)")
    client, _ = client_of(db)
    async with client.serve():
        for name in ("ends", "fails"):
            handle = client.handle(name)
            for ask in (handle.result, handle.status, handle.why, handle.retry):
                with pytest.raises(aether.ServerFault, match=r"damaged on disk: the end of run \d is missing"):
                    await ask()
        with pytest.raises(aether.WorkflowCancelled):
            await client.handle("stops").result()


async def test_a_database_that_does_not_know_how_often_it_was_opened_says_so(sound: Path) -> None:
    store = SqliteStore(str(changed(sound, "epoch", "UPDATE meta SET k = 'fpoch' WHERE k = 'epoch'")))
    with pytest.raises(StoreDamaged, match="how often it was opened is lost; run `aether db check`"):
        store.open()
    assert any("how often it was opened is lost" in fault for fault in store.check())


async def test_a_file_of_two_names_is_refused_for_the_log_of_each_would_ruin_the_other(sound: Path) -> None:
    other = sound.parent.parent / "other.db"
    other.hardlink_to(sound)
    for name in (sound, other):
        with pytest.raises(StoreError, match=r"the file has 2 names \(hard links\)"):
            SqliteStore(str(name)).open()
    other.unlink()
    store = SqliteStore(str(sound))
    store.open()
    store.close()
