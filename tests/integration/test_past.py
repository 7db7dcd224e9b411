"""What a run did and what it waits for, asked of a real server by the SDK and the command line."""

import json
import signal

import pytest
import trio

import aether
from aether import Client, Context
from aether.model.events import RunCompleted, StepCompleted
from tests.processes import Child, Server
from tests.processes import aether as command

RETRY = aether.RetryPolicy(initial_s=0.01, jitter=0)


@pytest.fixture
def client(server):
    return Client(server.url)


def in_order(*times):
    return None not in times and list(times) == sorted(times)


def test_a_timeline_shows_what_a_run_did(client):
    tries = []

    @client.activity("charge", retry=RETRY)
    async def charge(cents: int) -> int:
        tries.append(cents)
        if len(tries) == 1:
            raise ValueError("not now")
        return cents

    @client.workflow("order")
    async def order(ctx: Context, cents: int) -> int:
        await ctx.step("check", lambda: None)
        await ctx.parallel([lambda: ctx.activity(charge, cents), lambda: ctx.sleep(seconds=0.01)])
        return cents

    async def main() -> list[aether.TimelineRow]:
        async with client.serve():
            await order.options(workflow_id="order-1").start_and_wait(5)
            return await client.handle("order-1").timeline()

    run, check, charged, slept = trio.run(main)
    assert (run.kind, run.name, run.state, run.worker_id != "") == ("run", "order", "completed", True)
    assert (check.path, check.kind, check.name, check.state, check.depth) == ("1", "step", "check", "completed", 0)
    assert (charged.path, charged.kind, charged.state, charged.branch, charged.depth) == (
        "2.1.1", "activity", "completed", "2.1", 1,
    )  # fmt: skip
    failed, done = charged.attempts
    assert failed.failure
    assert (failed.number, failed.failure.message, done.number, done.failure) == (1, "not now", 2, None)
    assert in_order(failed.started_at, failed.ended_at, done.due_at, done.started_at, done.ended_at)
    assert (slept.kind, slept.state, slept.due_at is not None) == ("timer", "completed", True)
    assert in_order(run.created_at, check.started_at, charged.created_at, slept.ended_at, run.ended_at)
    assert (run.first_seq, run.last_seq) == (1, max(run.last_seq, slept.last_seq))


def test_a_run_says_what_it_waits_for_until_it_waits_for_nothing(client, server):
    @client.workflow("order")
    async def order(ctx: Context) -> None:
        await ctx.publish("ready", value=True)
        await ctx.race([lambda: ctx.wait_signal("go"), lambda: ctx.sleep(hours=1)])

    async def said(handle: aether.Handle[None], words: str) -> aether.Explanation:
        while words not in str(told := await handle.why()):  # noqa: ASYNC110 - no event tells when a worker is there
            await trio.sleep(0.01)
        return told

    async def main() -> None:
        async with client:
            handle = await order.options(workflow_id="order-1").start()
            told = await said(handle, "no worker is connected that has workflow 'order' in task queue 'default'")
            assert (told.state, told.reasons[0].kind) == (aether.RunState.PENDING, "no_worker")
            shown = await trio.to_thread.run_sync(lambda: command("why", "order-1", AETHER_SERVER=server.url))
            assert shown.stdout == told.sentence + "\n"
            async with client.serve():
                assert (await said(handle, "waits for signal 'go' at 2.1.1, and the timer")).reasons[0].kind == "signal"
                shown = await trio.to_thread.run_sync(lambda: command("status", "order-1", AETHER_SERVER=server.url))
                assert "signal go at 2.1.1" in shown.stdout
                waited, timer = (await handle.at(4)).pending
                assert (waited.kind, waited.name, waited.path, timer.kind) == ("signal", "go", "2.1.1", "timer")
                await handle.signal("go")
                await handle.result()
            told = await handle.why()
            assert str(told).startswith("workflow 'order-1' waits for nothing: it ended as COMPLETED at 20")

    trio.run(main)
    shown = json.loads(command("why", "order-1", "-o", "json", AETHER_SERVER=server.url).stdout)
    assert (shown["state"], shown["reasons"][0]["kind"]) == ("COMPLETED", "closed")


def test_who_is_asked_for_an_unknown_run_says_so(client, server):
    shown = command("why", "nobody", AETHER_SERVER=server.url)
    assert (shown.returncode, shown.stdout) == (3, "")

    async def main() -> None:
        async with client:
            with pytest.raises(aether.WorkflowNotFound):
                await client.handle("nobody").timeline()
            with pytest.raises(aether.WorkflowNotFound):
                await client.handle("nobody").why()
            with pytest.raises(aether.InvalidArgument):
                await client.handle("x" * 500).timeline()
            with pytest.raises(aether.InvalidArgument):
                await client.handle("x" * 500).why()

    trio.run(main)


@pytest.fixture
def five_steps(client):
    """A workflow that goes on with each signal."""

    @client.workflow("steps")
    async def steps(ctx: Context) -> None:
        for number in range(5):
            await ctx.step(f"step {number}", lambda: None)
            await ctx.wait_signal("go")

    return steps


def test_who_follows_a_timeline_sees_it_grow_until_the_run_is_closed(client, five_steps):
    async def main() -> None:
        async with client.serve():
            handle = await five_steps.options(workflow_id="w").start()
            counts, signalled = [], 0
            async for rows in client.handle("w").follow_timeline():
                counts.append(len(rows))
                steps = sum(row.kind == "step" for row in rows)
                if steps > signalled:
                    signalled = steps
                    await handle.signal("go")
            assert counts == sorted(counts)
            assert rows == await handle.timeline()
            assert rows[0].state == "completed"
            # Of a closed run it is all there is, once.
            assert [rows async for rows in handle.follow_timeline()] == [rows]
            with pytest.raises(aether.WorkflowNotFound):
                await anext(client.handle("nobody").follow_timeline())

    trio.run(main)


def test_who_follows_a_run_sees_each_event_until_it_is_closed(client, five_steps):
    async def main() -> None:
        async with client.serve():
            handle = await five_steps.options(workflow_id="w").start()
            seen = []
            async for event in client.handle("w").history(follow=True):
                seen.append(event)
                if isinstance(event.fact, StepCompleted):
                    await handle.signal("go")
            assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
            assert isinstance(seen[-1].fact, RunCompleted)
            assert seen == [event async for event in handle.history()]
            # Of a closed run there is nothing to wait for.
            assert [event async for event in handle.history(follow=True, after_seq=3)] == seen[3:]
            assert [event async for event in handle.history(follow=True, after_seq=len(seen))] == []

    trio.run(main)


def test_who_follows_a_run_does_so_over_a_killed_server(tmp_path):
    async def main(first: Server) -> None:
        port = first.url.rpartition(":")[2]
        client = Client(first.url)
        seen: list[aether.Event] = []

        @client.workflow("steps")
        async def steps(ctx: Context) -> None:
            await ctx.wait_signal("go")
            await ctx.step("after", lambda: None)

        async with client.serve(), trio.open_nursery() as nursery:
            handle = await steps.options(workflow_id="w").start()

            async def follow() -> None:
                seen.extend([event async for event in handle.history(follow=True)])

            nursery.start_soon(follow)
            command = ("-m", "aether.cli", "history", "w", "-f", "-o", "json", "--server", first.url)
            with Child(*command, cwd=tmp_path) as follower:
                await trio.to_thread.run_sync(follower.wait_for, "RunStarted")
                first.tell(signal.SIGKILL)
                first.process.wait()
                await trio.to_thread.run_sync(follower.wait_for, "waiting for it")
                with Server(tmp_path, "--grpc-port", port):
                    await handle.signal("go")
                    await handle.result()
                    code, said = await trio.to_thread.run_sync(follower.finish)
                    history = [event async for event in handle.history()]
        assert code == 0
        assert seen == history
        told = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert [(each["seq"], each["event"]) for each in told] == [
            (event.seq, type(event.fact).__name__) for event in history
        ]

    with Server(tmp_path) as server:
        trio.run(main, server)


def test_a_server_that_is_told_to_stop_does_not_wait_for_who_follows(server, tmp_path, client, five_steps):
    async def start() -> None:
        async with client:
            await five_steps.options(workflow_id="w").start()

    trio.run(start)
    with Child("-m", "aether.cli", "history", "w", "--follow", "--server", server.url, cwd=tmp_path) as follower:
        follower.wait_for("RunCreated")
        server.tell(signal.SIGTERM)
        # Long before the ten seconds that workers would be given.
        assert server.process.wait(5) == 0
        follower.wait_for("waiting for it")
        follower.tell(signal.SIGINT)
        assert follower.finish()[0] == 130


def test_a_history_may_be_shown_from_an_event_on(server, client, five_steps):
    async def start() -> None:
        async with client.serve():
            handle = await five_steps.options(workflow_id="w").start()
            for _ in range(5):
                await handle.signal("go")
            await handle.result()

    trio.run(start)
    whole = command("history", "w", AETHER_SERVER=server.url).stdout.splitlines()
    for options in (["--after", "4"], ["--after", "4", "--follow"]):
        rest = command("history", "w", *options, AETHER_SERVER=server.url).stdout.splitlines()
        assert rest == [whole[0], *whole[5:]]
    for options in ([], ["--follow"]):
        page = command("history", "w", "--after", "4", "--limit", "3", *options, AETHER_SERVER=server.url).stdout
        assert page.splitlines() == [whole[0], *whole[5:8]]
        data = command(
            "history", "w", "--after", "4", "--limit", "3", "-o", "jsonl", *options, AETHER_SERVER=server.url
        )
        assert [json.loads(line)["seq"] for line in data.stdout.splitlines()] == [5, 6, 7]
    assert command("history", "w", "--after", "999", "-o", "json", AETHER_SERVER=server.url).stdout == "[]\n"
    refused = command("history", "w", "--after", "99999999", "-o", "json", AETHER_SERVER=server.url)
    assert refused.returncode == 2
    assert json.loads(refused.stderr)["message"] == "no history has 99999999 events"
    assert command("history", "nobody", "-f", AETHER_SERVER=server.url).returncode == 3


def test_a_run_can_be_seen_as_it_was_after_any_event(client, server):
    @client.workflow("order")
    async def order(ctx: Context, cents: int) -> int:
        paid = await ctx.step("pay", lambda: {"cents": cents})
        await ctx.publish("paid", paid)
        await ctx.parallel([lambda: ctx.sleep(seconds=0.01), lambda: ctx.wait_signal("go")])
        return cents

    async def main() -> int:
        async with client.serve():
            handle = await order.options(workflow_id="order-1").start(5)
            await handle.signal("go", "Ada")
            await handle.result()
            facts = {type(event.fact).__name__: event.seq async for event in handle.history()}
            then = await handle.at(facts["TimerStarted"])
            assert (then.workflow_id, then.state, then.seq) == ("order-1", aether.RunState.RUNNING, then.seq)
            assert [(each.kind, each.name, each.result) for each in then.finished] == [("step", "pay", {"cents": 5})]
            assert [each.kind for each in then.pending] == ["timer"]
            assert then.published == {"paid": {"cents": 5}}
            end = await handle.at(facts["RunCompleted"])
            assert (end.state, end.pending, end.signals[0].value) == (aether.RunState.COMPLETED, (), "Ada")
            assert [each.kind for each in end.finished] == ["step", "timer"]
            for seq in (0, facts["RunCompleted"] + 1, 10_000):
                words = f"no event {seq}: the history has events 1 to {end.seq}"
                with pytest.raises(aether.InvalidArgument, match=words):
                    await handle.at(seq)
            with pytest.raises(aether.InvalidArgument):
                await client.handle("x" * 500).at(1)
            return facts["StepCompleted"]

    paid = trio.run(main)
    shown = command("replay", "order-1", "--at", str(paid), AETHER_SERVER=server.url).stdout.splitlines()
    assert f"event\t{paid}" in shown
    assert f'finished\tstep pay at 1, completed by event {paid}: {{"cents": 5}}' in shown
    document = json.loads(command("replay", "order-1", "--at", "1", "-o", "json", AETHER_SERVER=server.url).stdout)
    assert (document["state"], document["seq"], document["finished"], document["pending"]) == ("PENDING", 1, [], [])
    assert command("replay", "order-1", "--at", "99", AETHER_SERVER=server.url).returncode == 2
