"""A worker session against a peer that says exactly what the test wants: the protocol, message by message."""

import threading
from functools import partial

import anyio
import anyio.from_thread
import pytest
import trio
from trio.testing import MockClock

import aether
from aether.model import events as e
from aether.model.commands import RecordStep
from aether.model.payload import Payload
from aether.sdk.converters import Converter
from aether.sdk.run import Run
from aether.sdk.session import Outcomes, Session
from aether.wire.convert import event_to_proto
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.status import Code, RpcError
from tests.unit.sdk.peer import Peer, begun, client_of, quiet, serving, settings_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


async def two_steps(ctx: aether.Context) -> int:
    return await ctx.step("a", lambda: 1) + await ctx.step("b", lambda: 2)


async def test_it_registers_first_and_says_what_it_has():
    client = client_of(two_steps)

    @client.activity("a")
    def act() -> None: ...

    async with serving(client, workflow_slots=5, activity_slots=6) as peer:
        await quiet()
        register = peer.messages[0].register
    assert (register.worker_id, register.task_queue) == ("worker", "default")
    assert (list(register.workflow_types), list(register.activity_types)) == (["w"], ["a"])
    assert (register.workflow_slots, register.activity_slots) == (5, 6)


async def test_a_run_says_one_thing_after_the_other():
    async with serving(client_of(two_steps)) as peer:
        peer.workflow(*begun())
        request = await peer.completion()
        record = request.commands[0].record_step
        assert (request.token, request.blocked) == (1, False)
        assert (record.path, record.name, record.result.data) == ("1", "a", b"1")
        await quiet()
        assert peer.is_silent, "nothing goes on before the record is acknowledged"
        peer.ack(3)
        second = (await peer.completion()).commands[0].record_step
        assert (second.path, second.attempt) == ("2", 1)
        assert second.started_at_us >= 3_000_000, "times are of the server's clock"
        peer.ack(4)
        assert (await peer.completion()).commands[0].complete_run.result.data == b"3"
        peer.ack(0)
        await quiet()
        assert not peer.session._runs


async def test_a_run_that_waits_says_so_with_the_command_that_makes_it_wait():
    async def nap(ctx: aether.Context) -> None:
        await ctx.sleep(1)

    async with serving(client_of(nap)) as peer:
        peer.workflow(*begun())
        request = await peer.completion()
        assert (request.commands[0].start_timer.delay_ms, request.blocked, request.known_seq) == (1000, True, 2)
        peer.ack(3)
        peer.workflow(e.TimerFired("1"), first=4)
        assert (await peer.completion()).commands[0].HasField("complete_run")


async def test_a_run_that_waits_for_signals_says_which():
    async def waits(ctx: aether.Context) -> None:
        await ctx.step("a", lambda: 1)
        await ctx.parallel([lambda: ctx.wait_signal("go"), lambda: ctx.wait_signal("stop")])

    async with serving(client_of(waits)) as peer:
        peer.workflow(*begun())
        request = await peer.completion()
        assert (request.blocked, list(request.awaits)) == (False, [])
        peer.ack(3)
        request = await peer.completion()
        assert request.blocked
        assert [(each.path, each.name) for each in request.awaits] == [("2.1.1", "go"), ("2.2.1", "stop")]
        peer.ack(0)
        peer.workflow(e.SignalReceived("stop", Payload(b"1")), first=4)
        request = await peer.completion()
        assert [(each.path, each.name) for each in request.awaits] == [("2.1.1", "go")]


async def test_a_run_that_is_told_what_changes_nothing_says_that_it_still_waits():
    client = client_of()

    @client.activity("a")
    async def act() -> None: ...

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None:
        await ctx.activity(act)

    async with serving(client) as peer:
        peer.workflow(*begun())
        assert (await peer.completion()).blocked
        peer.ack(3)
        peer.workflow(e.ActivityStarted("1", 1, "worker"), first=4)
        request = await peer.completion()
        assert (list(request.commands), request.blocked, request.known_seq) == ([], True, 4)


async def test_code_begins_when_its_history_is_complete():
    async with serving(client_of(two_steps)) as peer:
        peer.workflow(*begun(e.StepCompleted("1", "a", Payload(b"1"))), more=True)
        await quiet()
        assert peer.is_silent
        peer.workflow(e.StepCompleted("2", "b", Payload(b"5")), first=4)
        assert (await peer.completion()).commands[0].complete_run.result.data == b"6"


@pytest.mark.parametrize("late", [True, False])
async def test_a_lease_that_is_gone_ends_the_code_and_what_it_had_done_is_not_done_again(late):
    ran, gone = [], []

    def count(name: str) -> int:
        ran.append(name)
        return len(ran)

    async def work(ctx: aether.Context) -> int:
        try:
            first = await ctx.step("a", count, "a")
            return first + await ctx.step("b", count, "b")
        except anyio.get_cancelled_exc_class():
            gone.append("cancelled")
            with ctx.shield():
                await ctx.step("tidy", lambda: ran.append("tidy"))
            raise

    outcomes = Outcomes()
    async with serving(client_of(work), outcomes=outcomes) as peer:
        peer.workflow(*begun())
        await peer.completion()
        if late:
            peer.refuse("StaleLease", Code.ABORTED)
        else:
            peer.revoke()
        await quiet()
        assert gone == ["cancelled"]
        assert ran == ["a"], "nothing more is done in its name"
        peer.workflow(*begun(), token=2)
        record = (await peer.completion()).commands[0].record_step
        assert (record.path, record.result.data, ran) == ("1", b"1", ["a"])


async def test_a_request_that_is_refused_for_what_it_says_fails_the_run():
    async with serving(client_of(two_steps)) as peer:
        peer.workflow(*begun())
        await peer.completion()
        peer.refuse("LimitExceeded", Code.RESOURCE_EXHAUSTED)
        failure = (await peer.completion()).commands[0].fail_run.failure
        assert (failure.type, failure.message) == ("LimitExceeded", "because")
        peer.refuse("InvalidArgument", Code.INVALID_ARGUMENT)
        assert (await peer.completion()).commands[0].block_run.failure.type == "InvalidArgument"
        peer.refuse("InvalidArgument", Code.INVALID_ARGUMENT)
        assert (await peer.completion()).release


async def test_a_request_that_can_not_be_written_now_gives_the_run_back():
    async with serving(client_of(two_steps)) as peer:
        peer.workflow(*begun())
        await peer.completion()
        peer.refuse("StorageUnavailable", Code.UNAVAILABLE)
        request = await peer.completion()
        assert (request.token, request.release) == (1, True)
        peer.ack(0)


async def test_code_that_does_not_fit_is_answered_with_both_sides_and_nothing_is_done():
    ran = []

    async def other(ctx: aether.Context) -> None:
        try:
            await ctx.step("new", lambda: ran.append("new"))
        finally:
            with ctx.shield():
                await ctx.step("tidy", lambda: ran.append("tidy"))

    async with serving(client_of(other)) as peer:
        peer.workflow(*begun(e.StepCompleted("1", "old", Payload(b"1"))))
        failure = (await peer.completion()).commands[0].block_run.failure
        assert failure.type == "NonDeterminism"
        assert failure.message == "at 1 the history holds step 'old', the code asks for step 'new'"
        peer.ack(0)
        await quiet()
        assert ran == []
        assert peer.is_silent


async def test_what_this_worker_does_not_know_is_answered_and_not_done():
    async with serving(client_of(two_steps)) as peer:
        peer.workflow(*begun(), kind="other", token=5)
        request = await peer.completion()
        assert request.token == 5
        assert "no workflow 'other'" in request.commands[0].block_run.failure.message
        peer.activity("other")
        assert "no activity 'other'" in (await peer.completion()).commands[0].fail_activity.failure.message
        peer.say(pb.Delivery(task=pb.Task(token=6, workflow=pb.WorkflowTask(events=[model_pb2.Event(seq=1)]))))
        request = await peer.completion()
        assert (request.token, request.commands[0].block_run.failure.type) == (6, "InvalidArgument")
        peer.workflow(e.TimerFired("1"), first=9, token=7)
        peer.revoke(77)
        peer.say(pb.Delivery(task=pb.Task(token=78, cancel_activity=pb.CancelActivityTask())))
        peer.say(pb.Delivery(task=pb.Task(drain=pb.DrainTask())))
        peer.ack(1, token=79)
        await quiet()
        assert peer.is_silent


async def test_the_session_is_kept_alive():
    async with serving(client_of(two_steps), timeout_ms=30) as peer:
        with anyio.fail_after(10):
            while sum(len(message.heartbeats) for message in peer.messages) < 3:
                await peer._sent.wait()
                peer._sent = anyio.Event()
    assert {beat.session_id for message in peer.messages for beat in message.heartbeats} == {"s"}


def test_the_clock_is_the_servers_though_the_workers_own_runs_faster_for_long():
    hours_us = 2 * 3600 * 1_000_000

    async def main():
        async with serving(client_of(), timeout_ms=15_000) as peer:

            async def see(at):
                event = event_to_proto(e.Event(1, at, e.RunCreated("id", "run", "none", "default", Payload(b""))))
                task = pb.WorkflowTask(workflow_type="none", events=[event])
                peer.say(pb.Delivery(task=pb.Task(token=1, workflow=task)))
                await quiet()
                assert abs(peer.session.now() - at) < 1_000

            at = 1_700_000_000_000_000
            await see(at)
            await trio.sleep(hours_us / 1e6)
            await see(at + hours_us - 50 * hours_us // 1_000_000)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_the_end_of_the_stream_ends_everything_even_behind_the_users_own_shield():
    cancelled = []

    async def stubborn(ctx: aether.Context) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await ctx.sleep(days=1)
            except aether.InvalidArgument as error:
                cancelled.append(str(error))
                raise

    with pytest.raises(ExceptionGroup) as caught:
        async with serving(client_of(stubborn)) as peer:
            peer.workflow(*begun())
            await peer.completion()
            with anyio.fail_after(5):
                peer.end(RpcError(Code.UNAVAILABLE, "connection lost"))
                await anyio.sleep_forever()
    assert caught.group_contains(RpcError, match="connection lost")
    assert cancelled == ["run run is not in the hands of this worker any more"]


async def test_a_session_that_ends_before_it_began_is_an_error():
    peer = Peer()
    peer.end()
    with pytest.raises(ExceptionGroup) as caught:
        await Session(settings_of(client_of(two_steps)), Converter(), Outcomes(), peer).run(lambda: None)  # type: ignore[arg-type]
    assert caught.group_contains(RpcError)


async def test_draining_ends_when_nothing_is_in_hand():
    go_on = anyio.Event()

    async def slow() -> int:
        await go_on.wait()
        return 1

    async def work(ctx: aether.Context) -> None:
        await ctx.step("slow", slow)
        with anyio.CancelScope(shield=True):
            await ctx.step("never", slow)

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun())
        await quiet()
        async with anyio.create_task_group() as group:
            group.start_soon(peer.session.drain)
            await quiet()
            assert peer.messages[-1].drain
            assert not peer.is_half_closed
            go_on.set()
            assert (await peer.completion()).commands[0].record_step.name == "slow"
            await quiet()
            assert not peer.is_half_closed, "the record is not acknowledged yet"
            peer.ack(3)
        assert peer.is_half_closed
        assert peer.is_silent


async def test_draining_ends_when_a_branch_that_waits_for_its_own_keeps_back_what_is_recorded():
    async def work(ctx: aether.Context) -> None:
        gate = anyio.Event()

        async def recorded() -> None:
            await ctx.step("a", lambda: 1)
            await ctx.wait_signal("go")
            gate.set()

        # While it waits for something that no history knows, nothing is delivered to others but after a while.
        await ctx.parallel([gate.wait, recorded])

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun())
        assert (await peer.completion()).commands[0].record_step.name == "a"
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(peer.session.drain)
                await quiet()
                assert not peer.is_half_closed, "the record is not acknowledged yet"
                peer.ack(3)
        assert peer.is_half_closed


async def test_what_a_worker_does_not_finish_is_given_back_before_the_thread_it_runs_in_ends():
    begun_at, ended = anyio.Event(), anyio.Event()
    go_on = threading.Event()
    client = client_of()

    @client.activity("a")
    def act() -> None:
        anyio.from_thread.run_sync(begun_at.set)
        go_on.wait(10)

    async def serve(peer: Peer, scope: anyio.CancelScope) -> None:
        with scope:
            await Session(settings_of(client), Converter(), Outcomes(), peer).run(lambda: None)  # type: ignore[arg-type]
        ended.set()

    peer, scope = Peer(), anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(serve, peer, scope)
        peer.say(registered=pb.RegisterResponse(session_id="s", worker_id="worker", session_timeout_ms=60_000))
        peer.activity()
        try:
            await begun_at.wait()
            assert not peer.is_cancelled
            scope.cancel()
            await quiet()
            assert not ended.is_set(), "nothing can stop a thread"
            assert peer.is_cancelled
        finally:
            go_on.set()
    assert peer.is_silent, "its outcome is somebody else's by now"


async def test_large_answers_leave_in_several_messages():
    text = "x" * 300_000

    async def work(ctx: aether.Context) -> None:
        await ctx.parallel([lambda: ctx.step("big", lambda: text)] * 4)

    async with serving(client_of(work)) as peer:
        for token in (1, 2, 3):
            peer.workflow(*begun(), token=token)
        seen = 0
        while seen < 12:
            seen += len((await peer.completion()).commands)
        assert all(message.ByteSize() < 2_000_000 for message in peer.messages)


async def test_what_is_too_much_for_one_message_leaves_in_the_order_in_which_it_came():
    async def large() -> str:
        return "x" * 1_000_000

    async def work(ctx: aether.Context) -> None:
        await ctx.parallel([partial(ctx.step, f"s{n}", large) for n in range(5)])

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun())
        names: list[str] = []
        seq = 2
        while len(names) < 5:
            request = await peer.completion()
            names += [command.record_step.name for command in request.commands]
            assert not request.blocked
            seq += len(request.commands)
            peer.ack(seq)
        assert sorted(names) == [f"s{n}" for n in range(5)]
        assert all(message.ByteSize() < 2_000_000 for message in peer.messages)
        assert (await peer.completion()).commands[0].HasField("complete_run")


def test_outcomes_are_bounded_and_used_once():
    outcomes = Outcomes(size_max=2)
    for path in ("1", "2", "3"):
        outcomes.keep("run", RecordStep(path, "a", Payload(b"1")))
    assert outcomes.reuse("run", "1") is None
    kept = outcomes.reuse("run", "3")
    assert kept is not None
    assert kept.path == "3"
    assert outcomes.reuse("run", "3") is None


async def test_outcomes_are_forgotten_when_the_server_may_have_lost_what_they_rest_on():
    outcomes = Outcomes()
    for lineage, is_kept in ((7, False), (7, True), (8, False), (0, False)):
        outcomes.keep("run", RecordStep("1", "a", Payload(b"1")))
        async with serving(client_of(two_steps), outcomes=outcomes, lineage=lineage):
            await quiet()
        assert (outcomes.reuse("run", "1") is not None) == is_kept


async def test_a_branch_that_waits_for_something_of_its_own_is_waited_for_in_peace(monkeypatch):
    """Nobody is nudged again and again although nothing can come of it: that would keep a processor busy."""
    hurry, go_on, hurried = Run.hurry, anyio.Event(), []
    monkeypatch.setattr(Run, "hurry", lambda run: hurried.append(run) or hurry(run))

    async def away(ctx) -> int:
        await go_on.wait()
        return await ctx.step("a", lambda: 1)

    async def work(ctx: aether.Context) -> list[int]:
        return await ctx.parallel([lambda: away(ctx), lambda: ctx.step("b", lambda: 2)])

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun(e.StepCompleted("1.1.1", "a", Payload(b"1"))))
        for _ in range(5):
            await quiet()
        assert 1 <= len(hurried) <= 4
        go_on.set()
        request = await peer.completion()
        assert request.commands[0].record_step.name == "b"
