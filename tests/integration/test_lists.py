"""Lists of runs by real processes: filters, pages, tags and memos, seen by programs and from the command line."""

import json

import anyio
import pytest

import aether
from aether.sdk import lists
from aether_tui import feed
from aether_tui.commands import press
from aether_tui.known import Known
from aether_tui.listing import listing
from aether_tui.ui import Refresh, Ui, View
from tests.processes import aether as command

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


def workflows(url):
    client = aether.Client(url)

    @client.workflow("order")
    async def order(ctx: aether.Context, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number

    @client.workflow("bill")
    async def bill(ctx: aether.Context, number: int) -> int:
        return number

    return client, order, bill


async def ids(client, text, **options):
    return [run.workflow_id async for run in client.list(text, **options)]


async def fill(client, order, bill):
    """order-1 (failed), order-2, order-3 (failed), closed; bill-1, open."""
    async with client.serve(order):
        for number in (1, 2, 3):
            tagged = order.options(
                workflow_id=f"order-{number}", tags={"customer": f"c{number % 2}"}, memo={"number": number}
            )
            handle = await tagged.start(number)
            if number % 2:
                with pytest.raises(aether.WorkflowFailed):
                    await handle.result()
            else:
                await handle.result()
        await bill.options(workflow_id="bill-1", tags={"customer": "c1", "city": "New York"}).start(1)


async def test_programs_find_runs_by_filter(server):
    client, order, bill = workflows(server.url)
    async with client:
        await fill(client, order, bill)
        assert await ids(client, "") == ["bill-1", "order-3", "order-2", "order-1"]
        assert await ids(client, "state:failed") == ["order-3", "order-1"]
        assert await ids(client, "tag.customer:c1") == ["bill-1", "order-3", "order-1"]
        assert await ids(client, "tag.customer:c1 -state:failed") == ["bill-1"]
        assert await ids(client, 'tag.city:"New York"') == ["bill-1"]
        assert await ids(client, "started:>1h order-", limit=1) == ["order-3"]
        assert await ids(client, "age:>1h") == []
        assert await ids(
            client, "tag.customer:c1", workflow_type="order", state=aether.RunState.FAILED, prefix="order-1"
        ) == ["order-1"]
        with pytest.raises(aether.InvalidArgument, match="character 7: 'faild' is no state"):
            await ids(client, "state:faild")


async def test_the_oldest_runs_are_found_among_any_number(server, monkeypatch):
    """Not those that are the oldest of what a list of the newest shows."""
    client, order, bill = workflows(server.url)
    async with client:
        await fill(client, order, bill)
        assert await ids(client, "", oldest_first=True, limit=2) == ["order-1", "order-2"]
        monkeypatch.setattr(lists, "PAGE_RUNS", 1)
        assert await ids(client, "tag.customer:c1", oldest_first=True) == ["order-1", "order-3", "bill-1"]
        monkeypatch.setattr(feed, "RUNS_MAX", 2)
        seen = Known(server.url)
        turned, wishes = press(Ui(View.WORKFLOWS), seen, "s")
        assert wishes == (Refresh(),)
        seen.take_look(await feed.look(client, feed.wants_of(turned), lambda: 0))
        assert [info.workflow_id for info in listing(turned, seen).things] == ["order-1", "order-2"]
    shown = command("workflow", "list", "--oldest", "--limit", "3", "-o", "name", AETHER_SERVER=server.url)
    assert shown.stdout.split() == ["order-1", "order-2", "order-3"]


async def test_a_list_tells_what_open_runs_do(server):
    client = aether.Client(server.url)

    @client.activity("charge", retry=aether.RetryPolicy(initial_s=60, jitter=0))
    async def charge() -> None:
        raise ValueError("not now")

    @client.workflow("order")
    async def order(ctx: aether.Context) -> None:
        await ctx.activity(charge)

    @client.workflow("bill")
    async def bill(ctx: aether.Context) -> None:
        await ctx.wait_signal("paid")

    async with client.serve(order):
        await order.options(workflow_id="order-1").start()
        await bill.options(workflow_id="bill-1").start()
        while True:
            waits, retries = [run async for run in client.list(doing=True)]
            if retries.doing and retries.doing.what == "retrying":
                break
            await anyio.sleep(0.01)
        plain = [run.doing async for run in client.list()]
    assert (retries.doing.kind, retries.doing.name, retries.doing.attempt) == ("activity", "charge", 1)
    assert retries.doing.due_at is not None
    assert (retries.history_length, retries.worker_id != "") == (5, True)
    assert waits.doing == aether.RunDoing("queued", "", "", 0, None, 0)
    assert plain == [None, None]


async def test_tags_and_memo_of_open_and_closed_runs_are_seen(server):
    client, order, bill = workflows(server.url)
    async with client:
        await fill(client, order, bill)
        (listed,) = [run async for run in client.list("order-2")]
        closed = await client.handle("order-2").status()
        still_open = await client.handle("bill-1").status()
    assert listed.tags == closed.info.tags == {"customer": "c0"}
    assert closed.memo == {"number": 2}
    assert still_open.info.tags == {"customer": "c1", "city": "New York"}
    shown = command("status", "order-2", "--server", server.url).stdout
    assert "tags\tcustomer=c0\n" in shown
    assert "memo\tnumber=2\n" in shown


async def test_a_long_list_is_read_in_pages(server):
    client, order, _ = workflows(server.url)
    async with client:
        handles = await client.start_many([order.prepare(number) for number in range(1_150)])
        everything = await ids(client, "state:open", limit=10_000)
        assert sorted(everything) == sorted(handle.workflow_id for handle in handles)
        assert await ids(client, "", limit=1_100) == everything[:1_100]
    listed = command("workflow", "list", "--limit", "2000", "--server", server.url).stdout.splitlines()
    assert len(listed) == 1_151


async def test_the_command_line_takes_the_same_filter(server):
    client, order, bill = workflows(server.url)
    async with client:
        await fill(client, order, bill)

    def listed(*words):
        done = command("workflow", "list", "-o", "json", "--server", server.url, *words)
        assert done.returncode == 0, done.stderr
        return [run["workflow_id"] for run in json.loads(done.stdout)]

    assert listed("state:failed", "tag.customer:c1") == ["order-3", "order-1"]
    assert listed("-state:failed", "--type", "order") == ["order-2"]
    assert listed("--limit", "1", "-type:bill", "-tag.customer:c0") == ["order-3"]
    assert listed("--", "-order-", "-type:x") == ["bill-1"]
    assert listed('tag.city:"New York"') == ["bill-1"]
    assert listed("error:ValueError") == listed("error:*") == ["order-3", "order-1"]
    refused = command("workflow", "list", "worker:w1", "--server", server.url)
    assert refused.returncode == 2
    assert "filter, character 1: runs can not be found by worker: who has them changes at any time" in refused.stderr
    wrong = command("workflow", "list", "-state:faild", "--server", server.url)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("aether: filter, character 8: 'faild' is no state; expected pending")
