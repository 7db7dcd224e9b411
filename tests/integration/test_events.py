"""What happens on real servers, as programs and `aether tail` are told of it."""

import json
import pty
import signal
import subprocess
import sys
from contextlib import aclosing

import apsw
import pytest
import trio

import aether
from aether import Client, Context
from aether.server.event_service import PAGE_EVENTS
from tests.processes import Child, Server, environment
from tests.processes import aether as command

NOT_NOW = "not now \x1b[31m"
RETRY = aether.RetryPolicy(initial_s=0.01, jitter=0)


@pytest.fixture
def client(server):
    return Client(server.url)


def defined(client):
    @client.activity("charge", retry=RETRY)
    async def charge(cents: int) -> int:
        if aether.activity_info().attempt == 1:
            raise ValueError(NOT_NOW)
        return cents

    @client.workflow("order")
    async def order(ctx: Context, cents: int) -> int:
        await ctx.step("check", lambda: "checked")
        return await ctx.activity(charge, cents)

    @client.workflow("mail")
    async def mail(ctx: Context) -> None:
        await ctx.step("send", lambda: None)

    return order, mail


async def taken(events, count):
    async with aclosing(events):
        return [await anext(events) for _ in range(count)]


async def listen(events, heard, is_enough):
    """Until it is."""
    async with aclosing(events):
        async for event in events:
            heard.append(event)
            if is_enough(heard):
                return


def completed(heard):
    return {each.workflow_id for each in heard if each.kind == "RunCompleted"}


def test_events_come_in_order_and_are_what_the_histories_say(client):
    order, mail = defined(client)

    async def main():
        heard: list[aether.LoggedEvent] = []
        async with client.serve(), trio.open_nursery() as nursery:
            nursery.start_soon(listen, client.events(whole=True), heard, lambda heard: {"a", "b"} <= completed(heard))
            # It begins with what comes once the server knows of it.
            number = 0
            while not heard:
                number += 1
                await mail.options(workflow_id=f"knock-{number}").start_and_wait()
            for name in ("a", "b"):
                await order.options(workflow_id=name).start_and_wait(5)
        async with client:
            stored = {name: [event async for event in client.handle(name).history()] for name in ("a", "b")}
        return heard, stored

    heard, stored = trio.run(main)
    for name, events in stored.items():
        assert [each.event for each in heard if each.workflow_id == name] == events
    positions = [each.position for each in heard]
    assert positions == sorted(set(positions))
    retried = next(each for each in heard if each.kind == "ActivityRetried")
    assert (retried.name, retried.attempt, retried.failure_type) == ("charge", 1, "ValueError")
    assert (retried.message, retried.due_at is None) == (NOT_NOW, False)


def test_a_filter_kinds_and_a_place_to_begin_are_kept(client):
    order, mail = defined(client)

    async def main():
        async with client.serve():
            for name in ("a", "b"):
                await mail.options(workflow_id=f"mail-{name}").start_and_wait()
                await order.options(workflow_id=f"order-{name}").start_and_wait(5)
            mails = client.events("type:mail", kinds=["RunCreated", "RunCompleted"], last=1000)
            told = [(each.workflow_id, each.kind) for each in await taken(mails, 4)]
            created = await taken(client.events(kinds=["RunCreated"], after=0), 4)
            later = await taken(client.events(kinds=["RunCreated"], after=created[1].position), 2)
            with pytest.raises(aether.InvalidArgument, match="no kind of event"):
                await taken(client.events(kinds=["Nothing"]), 1)
            return told, created, later

    told, created, later = trio.run(main)
    assert told == [(f"mail-{name}", kind) for name in "ab" for kind in ("RunCreated", "RunCompleted")]
    assert later == created[2:]
    assert [each.event for each in later] == [None, None]


def test_who_listens_goes_on_where_it_was_with_the_next_server(tmp_path):
    """Killed in the middle: each event is told once, also those that nobody was told of before the server died."""
    heard: list[aether.LoggedEvent] = []
    stored = {}
    orders = [f"order-{number}" for number in range(6)]
    with Server(tmp_path) as first:
        client = Client(first.url)
        order, _ = defined(client)

        async def main():
            two = trio.Event()

            def is_enough(heard):
                if len(completed(heard)) >= 2:
                    two.set()
                return len(completed(heard)) == len(orders)

            async with client.serve(), trio.open_nursery() as nursery:
                nursery.start_soon(listen, client.events(after=0), heard, is_enough)
                nursery.start_soon(restart, two)
                for name in orders:
                    await order.options(workflow_id=name).start_and_wait(5)
            async with client:
                for name in orders:
                    stored[name] = [event.seq async for event in client.handle(name).history()]

        async def restart(two):
            await two.wait()
            await trio.to_thread.run_sync(first.__exit__)
            servers.append(await trio.to_thread.run_sync(Server, tmp_path, "--grpc-port", first.url.rpartition(":")[2]))

        servers: list[Server] = []
        try:
            trio.run(main)
        finally:
            for server in servers:
                server.__exit__()
    for name, seqs in stored.items():
        assert [each.seq for each in heard if each.workflow_id == name] == seqs


@pytest.mark.parametrize("mode", ["memory", "snapshot"])
def test_events_come_in_every_tier(tmp_path, mode):
    options = ("--persistence", mode)
    with Server(tmp_path, *options) as server:
        client = Client(server.url)
        _, mail = defined(client)

        async def main():
            async with client.serve():
                await mail.start_and_wait()
                return [each.kind for each in await taken(client.events(after=0), 4)]

        assert trio.run(main) == ["RunCreated", "RunStarted", "StepCompleted", "RunCompleted"]


# The command line.


def filled(server):
    client = Client(server.url)
    order, mail = defined(client)

    async def main():
        async with client.serve():
            await mail.options(workflow_id="mail-1").start_and_wait()
            await order.options(workflow_id="order-1").start_and_wait(5)

    trio.run(main)


def test_tail_is_json_lines_in_a_pipe_and_goes_on_after_a_restart(tmp_path):
    with Server(tmp_path) as server:
        filled(server)
        port = server.url.rpartition(":")[2]
        tail = ("-m", "aether.cli", "tail", "-n", "1000", "--event", "RunCreated", "--event", "ActivityRetried")
        with Child(*tail, cwd=tmp_path, AETHER_SERVER=server.url) as tailing:
            first = json.loads(tailing.wait_for("RunCreated"))
            assert (first["workflow_id"], first["event"], first["seq"]) == ("mail-1", "RunCreated", 1)
            assert not {"dropped", "path", "failure_type"} & set(first)
            retried = json.loads(tailing.wait_for("ActivityRetried"))
            assert (retried["name"], retried["message"]) == ("charge", NOT_NOW)
            server.tell(signal.SIGTERM)
            server.finish()
            tailing.wait_for("waiting for it")
            with Server(tmp_path, "--grpc-port", port) as again:
                assert command("start", "mail", "--id", "new-1", AETHER_SERVER=again.url).returncode == 0
                assert json.loads(tailing.wait_for("RunCreated"))["workflow_id"] == "new-1"
                tailing.tell(signal.SIGINT)
                assert tailing.finish()[0] == 130
    assert "\x1b" not in "".join(tailing.said)


@pytest.mark.parametrize(
    "words",
    [
        ("tail", "-n", "1"),
        ("history", "open-1", "--follow", "-o", "jsonl"),
        ("metrics", "--watch", "-o", "jsonl", "--every", "3600"),
    ],
)
def test_what_is_shown_as_it_comes_ends_when_nobody_reads_it_any_more(server, words):
    assert command("start", "mail", "--id", "open-1", AETHER_SERVER=server.url).returncode == 0
    shown = [sys.executable, "-m", "aether.cli", *words, "--server", server.url]
    with subprocess.Popen(shown, stdout=subprocess.PIPE, env=environment(), text=True) as showing:
        assert showing.stdout is not None
        try:
            assert showing.stdout.readline()
            showing.stdout.close()
            assert showing.wait(20) == 1
        finally:
            showing.kill()


def test_tail_on_a_terminal_is_a_table_that_can_not_be_fooled(server):
    filled(server)
    controller, terminal = pty.openpty()
    tail = [sys.executable, "-m", "aether.cli", "tail", "type:order", "-n", "1000", "--server", server.url]
    with subprocess.Popen(tail, stdout=terminal, stderr=terminal, env=environment(TERM="dumb")) as tailing:
        with open(controller, errors="replace", closefd=False) as shown:
            lines = [shown.readline() for _ in range(7)]
        tailing.send_signal(signal.SIGINT)
        assert tailing.wait(20) == 130
    assert lines[0].split() == ["TIME", "WORKFLOW", "EVENT", "NAME", "DETAIL"]
    assert {line.split()[1] for line in lines[1:]} == {"order-1"}
    assert lines[6].split()[2:4] == ["ActivityRetried", "charge"]
    assert "\x1b" not in "".join(lines)


def test_tail_says_whole_events_and_what_is_wrong(server):
    filled(server)
    tail = [sys.executable, "-m", "aether.cli", "tail", "--whole", "--after", "0", "--server", server.url]
    with subprocess.Popen(tail, stdout=subprocess.PIPE, env=environment(), text=True) as tailing:
        assert tailing.stdout is not None
        documents = [json.loads(tailing.stdout.readline()) for _ in range(3)]
        tailing.send_signal(signal.SIGINT)
    assert documents[2]["result"] is None
    assert documents[2]["name"] == "send"
    wrong = command("tail", "stat:x", AETHER_SERVER=server.url)
    assert (wrong.returncode, "filter, character 1" in wrong.stderr) == (2, True)
    nowhere = command("tail", "--server", "http://127.0.0.1:1")
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (5, 1)


@pytest.mark.parametrize(
    "damage",
    ["UPDATE log SET body = x'00' WHERE run_key = 1", "UPDATE runs SET queue = 'other' WHERE key = 1"],
    ids=["events", "run"],
)
def test_a_damaged_run_keeps_nobody_from_hearing_of_the_others(tmp_path, damage):
    db = tmp_path / "a.db"
    client = Client(db=str(db))
    steps = 2 * PAGE_EVENTS

    @client.workflow("long")
    async def long(ctx: Context) -> None:
        for number in range(steps):
            await ctx.step(f"step {number}", lambda: None)

    async def run(name):
        async with client.serve():
            await long.options(workflow_id=name).start_and_wait()

    async def hear():
        with trio.fail_after(20):
            async with client:
                return await taken(client.events(kinds=["RunCompleted"], last=1_000), 1)

    trio.run(run, "damaged")
    with apsw.Connection(str(db)) as connection:
        connection.execute(damage)
    connection.close()
    steps = 1
    trio.run(run, "sound")
    assert [event.workflow_id for event in trio.run(hear)] == ["sound"]
