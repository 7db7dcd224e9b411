"""How those who follow what happens come back when their stream is lost, on a virtual clock."""

from itertools import pairwise

import pytest
import trio
import trio.testing
from attrs import define, field

import aether
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.status import Code, RpcError


@define
class Server:
    """Says one thing each time, lasts so long, and is lost."""

    lasts_s: float
    asked: list[tuple[float, bytes]] = field(factory=list)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_): ...

    async def open_stream(self, path):
        await trio.lowlevel.checkpoint()
        return Stream(self, path)


@define
class Stream:
    server: Server
    path: str
    answers: list[bytes] = field(factory=list)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_): ...

    def send(self, message):
        self.server.asked.append((trio.current_time(), message))
        if self.path.endswith("FollowEvents"):
            position = pb.FollowEventsRequest.FromString(message).after_position + 7
            self.answers = [pb.LoggedEvent(position=position).SerializeToString()]
        else:
            self.answers = [pb.TimelineRow(kind="run", state="running").SerializeToString()]

    def half_close(self): ...

    async def receive(self):
        answers, self.answers = self.answers, []
        if not answers:
            await trio.sleep(self.server.lasts_s)
            raise RpcError(Code.UNAVAILABLE, "lost")
        return answers


def events(client):
    return client.events(last=3)


def timeline(client):
    return client.handle("a", "run-id").follow_timeline()


def follow(what, lasts_s):
    """For two minutes: what was asked for, and the pauses in between, without the time that a stream lasted."""
    server = Server(lasts_s)
    client = aether.Client()
    client.make_transport = lambda: server  # type: ignore[assignment]

    async def main():
        with trio.move_on_after(120):
            async with client:
                async for _ in what(client):
                    pass

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    times = [at for at, _ in server.asked]
    return [message for _, message in server.asked], [after - before - lasts_s for before, after in pairwise(times)]


@pytest.mark.parametrize("what", [events, timeline])
def test_streams_that_are_lost_at_once_are_asked_for_more_and_more_seldom(what):
    _, pauses = follow(what, 0.0)
    assert 20 < len(pauses) < 200
    assert min(pauses[-6:]) > 0.9


@pytest.mark.parametrize("what", [events, timeline])
def test_a_stream_that_has_lasted_is_followed_by_the_next_one_soon(what):
    _, pauses = follow(what, 2.0)
    assert max(pauses) < 0.1


def test_who_follows_events_goes_on_where_the_lost_stream_was():
    asked, _ = follow(events, 2.0)
    assert [pb.FollowEventsRequest.FromString(message).after_position for message in asked[:3]] == [0, 7, 14]
