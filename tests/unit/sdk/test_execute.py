"""Attempts of activities against a peer: what they know, what they tell, and how they are stopped."""

import threading

import anyio
import pytest

import aether
from aether.model.payload import Payload
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.status import Code
from aether.wire.values import payload_to_proto
from tests.unit.sdk.peer import client_of, quiet, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


async def test_an_activity_knows_its_attempt_and_tells_how_far_it_is():
    client = client_of()
    told = []

    @client.activity("a")
    def act(number: int) -> int:
        info = aether.activity_info()
        told.append((info.attempt, info.last_heartbeat, info.workflow_id, info.path, aether.cancelled()))
        aether.heartbeat({"at": number})
        return number + 1

    async with serving(client) as peer:
        peer.activity(args=b"[5]", last_heartbeat=payload_to_proto(Payload(b'"half"')))
        request = await peer.completion()
        assert (request.token, request.commands[0].complete_activity.result.data) == (9, b"6")
        assert told == [(2, "half", "id", "1", False)]
        beats = [beat for message in peer.messages for beat in message.heartbeats]
        assert [(beat.token, beat.session_id, beat.details.data) for beat in beats] == [(9, "s", b'{"at":5}')]
        peer.ack(0, token=9)


async def test_an_activity_that_fails_or_is_given_nonsense_says_why():
    client = client_of()

    @client.activity("a")
    async def act(number: int) -> int:
        raise aether.RetryAfter(1.5, "busy")

    async with serving(client) as peer:
        peer.activity(args=b"[5]")
        failure = (await peer.completion()).commands[0].fail_activity.failure
        assert (failure.type, failure.message, failure.retry_after_ms) == ("RetryAfter", "busy", 1500)
        peer.refuse("InvalidArgument", Code.INVALID_ARGUMENT, token=9)
        assert (await peer.completion()).commands[0].fail_activity.failure.type == "InvalidArgument"
        peer.activity(args=b'["x"]', token=10)
        failure = (await peer.completion()).commands[0].fail_activity.failure
        assert failure.message == "argument 'number' of activity 'a' does not fit int: 'x' is no int @ $"
        peer.refuse("StaleLease", Code.ABORTED, token=10)
        await quiet()
        assert peer.is_silent


async def test_a_cancelled_activity_stops_where_it_waits_and_a_thread_may_ask():
    client = client_of()
    started, go_on = threading.Event(), threading.Event()

    @client.activity("a")
    async def waits() -> None:
        await anyio.sleep_forever()

    @client.activity("b")
    def works() -> bool:
        started.set()
        assert go_on.wait(10)
        return aether.cancelled()

    def cancel(token):
        return pb.Delivery(task=pb.Task(token=token, cancel_activity=pb.CancelActivityTask(reason="enough")))

    async with serving(client) as peer:
        peer.activity("a")
        await quiet()
        peer.say(cancel(9))
        assert (await peer.completion()).commands[0].HasField("cancel_activity")
        peer.activity("b", token=10)
        await anyio.to_thread.run_sync(started.wait)
        peer.say(cancel(10))
        await quiet()
        go_on.set()
        request = await peer.completion()
        assert request.token == 10
        assert request.commands[0].complete_activity.result.data == b"true"


async def test_a_revoked_attempt_stops_and_says_nothing():
    client = client_of()
    stopped = anyio.Event()

    @client.activity("a")
    async def waits() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with serving(client) as peer:
        peer.activity("a")
        await quiet()
        peer.revoke(9)
        with anyio.fail_after(5):
            await stopped.wait()
        await quiet()
        assert peer.is_silent


@pytest.mark.parametrize("name", ["heartbeat", "activity_info", "cancelled"])
async def test_what_belongs_to_an_attempt_is_refused_elsewhere(name):
    with pytest.raises(aether.InvalidArgument, match=rf"aether\.{name}\(\) was called outside of an activity"):
        getattr(aether, name)()


async def test_details_that_can_not_be_encoded_are_refused_where_they_are_told():
    client = client_of()

    @client.activity("a")
    async def act() -> None:
        aether.heartbeat(object())

    async with serving(client) as peer:
        peer.activity()
        failure = (await peer.completion()).commands[0].fail_activity.failure
        assert failure.message.startswith("the heartbeat of activity 'a'")


def beats_of(peer, token=9):
    return [
        beat.details.data
        for message in peer.messages
        for beat in message.heartbeats
        if beat.details and beat.token == token
    ]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_thousand_heartbeats_are_a_few_messages_and_the_last_one_is_told_before_the_outcome(is_async):
    client = client_of()

    def work():
        for number in range(1_000):
            aether.heartbeat(number)

    if is_async:

        @client.activity("a")
        async def act() -> None:
            work()
            await quiet()
            aether.heartbeat("last")
            raise ValueError("half-way")
    else:

        @client.activity("a")
        def plain() -> None:
            work()
            aether.heartbeat("last")
            raise ValueError("half-way")

    async with serving(client) as peer:
        peer.activity()
        assert (await peer.completion()).commands[0].HasField("fail_activity")
        told = beats_of(peer)
        assert 1 <= len(told) <= 5
        assert told[-1] == b'"last"'
        with_beats = [
            bool(message.heartbeats) for message in peer.messages if message.heartbeats or message.completions
        ]
        assert with_beats[-1] is False, "the outcome came before the last heartbeat"
        peer.ack(0, token=9)


async def test_what_was_told_last_is_sent_after_a_while_also_when_nothing_more_comes():
    client = client_of()

    @client.activity("a")
    async def act() -> None:
        aether.heartbeat("first")
        await quiet()
        aether.heartbeat("second")
        await anyio.sleep_forever()

    async with serving(client) as peer:
        peer.activity(timeouts=model_pb2.ActivityTimeouts(heartbeat_ms=8))
        with anyio.fail_after(10):
            while beats_of(peer) != [b'"first"', b'"second"']:
                await anyio.lowlevel.checkpoint()
        await quiet()
        peer.revoke(9)


async def test_a_thread_that_is_to_stop_may_go_on_telling_how_far_it_is():
    client = client_of()
    started, go_on = threading.Event(), threading.Event()

    @client.activity("a")
    def works() -> bool:
        started.set()
        assert go_on.wait(10)
        aether.heartbeat("stopping")
        return aether.cancelled()

    async with serving(client) as peer:
        peer.activity()
        await anyio.to_thread.run_sync(started.wait)
        peer.say(pb.Delivery(task=pb.Task(token=9, cancel_activity=pb.CancelActivityTask(reason="enough"))))
        await quiet()
        go_on.set()
        assert (await peer.completion()).commands[0].complete_activity.result.data == b"true"
        assert beats_of(peer) == [b'"stopping"']
        peer.ack(0, token=9)


async def test_a_heartbeat_that_is_too_large_is_an_error_where_it_is_told():
    client = client_of()

    @client.activity("a")
    async def act() -> None:
        aether.heartbeat("x" * 262_144)

    async with serving(client) as peer:
        peer.activity()
        failure = (await peer.completion()).commands[0].fail_activity.failure
    assert (failure.type, failure.message) == (
        "LimitExceeded",
        "the heartbeat of activity 'a' is 262,146 bytes; at most 262,144",
    )
