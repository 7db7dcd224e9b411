"""What was acknowledged about a start holds after SIGKILL: the runs, their ids and their options."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import aether
from tests.integration.peers import ServerProcess

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def workflow_of(client: aether.Client) -> Any:
    @client.workflow("w")
    async def w(ctx: aether.Context, number: int) -> int:
        return number

    return w


async def test_many_that_were_started_in_one_round_trip_are_there_once_after_a_kill(tmp_path: Path) -> None:
    server = ServerProcess.start(tmp_path / "aether.db")
    try:
        client = aether.Client(f"http://{server.address}")
        w = workflow_of(client)
        starts = [
            w.options(workflow_id=f"id-{number}", tags={"n": str(number)}).prepare(number) for number in range(300)
        ]
        async with client:
            handles = await client.start_many(starts)
            server.kill()
            server = ServerProcess.start(tmp_path / "aether.db", port=server.port)
            again = await client.start_many(starts)
            assert [handle.run_id for handle in again] == [handle.run_id for handle in handles]
            listed = [info async for info in client.list(limit=1_000)]
            assert sorted(info.run_id for info in listed) == sorted(handle.run_id for handle in handles)
            assert {info.workflow_id: dict(info.tags) for info in listed}["id-7"] == {"n": "7"}
            with pytest.raises(aether.WorkflowAlreadyExists):
                await w.options(workflow_id="id-7").start(8)
            async with client.serve():
                assert [await handle.result() for handle in handles] == list(range(300))
    finally:
        server.kill()


async def test_options_of_a_start_hold_after_a_kill(tmp_path: Path) -> None:
    server = ServerProcess.start(tmp_path / "aether.db")
    try:
        client = aether.Client(f"http://{server.address}")
        w = workflow_of(client)
        async with client:
            late = await w.options(workflow_id="late", start_delay_s=3600, memo={"why": ["x"]}, tags={"a": "b"}).start(
                1
            )
            short = await w.options(workflow_id="short", run_timeout_s=0.3).start(2)
            only = w.options(workflow_id="only", id_reuse="reject")
            first = await only.start(3)
            await first.cancel()
            server.kill()
            server = ServerProcess.start(tmp_path / "aether.db", port=server.port)
            with pytest.raises(aether.WorkflowFailed, match="was open for longer"):
                await short.result()
            async with client.serve():
                status = await late.status()
                assert status.state is aether.RunState.PENDING
                assert dict(status.info.tags) == {"a": "b"}
                assert dict(status.memo) == {"why": ["x"]}
                (waits,) = status.pending
                assert waits.kind == "start"
                assert waits.due_at is not None
                assert waits.due_at - status.info.created_at == timedelta(hours=1)
                with pytest.raises(aether.WorkflowAlreadyExists, match="was used before"):
                    await only.start(3)
                assert (await late.status()).state is aether.RunState.PENDING
    finally:
        server.kill()
