"""Retention by a real server: what is too much leaves, what is needed stays, and what is open goes on."""

import json
import signal

import pytest

import aether
from tests.processes import Server
from tests.processes import aether as command

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


def workflows(url):
    client = aether.Client(url)

    @client.workflow("leaf")
    async def leaf(ctx: aether.Context, number: int) -> int:
        return await ctx.step("number", lambda: number)

    @client.workflow("parent")
    async def parent(ctx: aether.Context) -> int:
        first = await ctx.child(leaf, 1)
        second: int = await ctx.wait_signal("second", result_type=int)
        return first + second

    return client, leaf, parent


def stop(server):
    server.tell(signal.SIGTERM)
    assert server.finish()[0] == 0


async def test_what_is_too_much_leaves_and_what_is_needed_stays(tmp_path):
    with Server(tmp_path) as server:
        client, leaf, parent = workflows(server.url)
        async with client.serve():
            waiting = await parent.options(workflow_id="parent").start()
            while (await waiting.status()).info.history_length < 4:
                pass
            for number in range(8):
                await leaf.options(workflow_id=f"leaf-{number}").start_and_wait(number)
        stop(server)
    with Server(tmp_path, "--retention-closed-max", "3") as server:
        server.wait_for("runs_removed")
        listed = command("workflow", "list", "-o", "json", AETHER_SERVER=server.url)
        # Of the nine that are closed, the child of the open parent stays beside the newest.
        assert [run["workflow_id"] for run in json.loads(listed.stdout)] == ["leaf-7", "leaf-6", "parent/1", "parent"]
        assert command("status", "leaf-0", AETHER_SERVER=server.url).returncode == 3
        client, _, parent = workflows(server.url)
        async with client.serve():
            assert await client.handle("leaf-7").result() == 7
            waiting = client.handle("parent")
            await waiting.signal("second", 41)
            assert await waiting.result() == 42
        stop(server)
    whole = command("db", "check", "--db", str(tmp_path / "data/aether.db"))
    assert (whole.returncode, whole.stdout.count("whole")) == (0, 1), whole.stdout


async def test_a_program_says_how_many_closed_runs_its_own_engine_keeps(tmp_path):
    async def leaf(ctx: aether.Context, number: int) -> int:
        return number

    def embedded(**kept):
        client = aether.Client(db=str(tmp_path / "a.db"), **kept)
        return client, client.workflow("leaf")(leaf)

    client, flow = embedded()
    async with client.serve():
        for number in range(6):
            await flow.options(workflow_id=f"leaf-{number}").start_and_wait(number)
    client, _ = embedded(closed_max=2)
    async with client:
        while len(left := [run.workflow_id async for run in client.list()]) > 2:
            pass
        assert left == ["leaf-5", "leaf-4"]
    for wrong in ({"closed_max": -1}, {"closed_days": -1.0}, {"closed_days": float("nan")}, {"closed_days": 1e9}):
        with pytest.raises(aether.InvalidArgument, match="closed_"):
            aether.Client(db=str(tmp_path / "a.db"), **wrong)
