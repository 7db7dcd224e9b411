"""Who listens to all events is told of what is durable, of what was meant, and of how much was left out."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from aether.core.inputs import StartRun
from aether.model.limits import Limits
from aether.model.payload import Payload
from aether.server.archive import Archive
from aether.server.event_service import PAGE_EVENTS, PAUSE_S, EventService
from aether.server.http.happened import happened
from aether.server.http.local_call import LocalCall, LocalClient
from aether.server.traffic import Traffic
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.status import Code
from tests.unit.server.test_engine_loop import Loop, running


class Heard(LocalCall):
    """A call whose messages come as they are sent."""

    def __init__(self) -> None:
        super().__init__("FollowEvents", sys.maxsize)
        self.news = trio.Event()

    def send(self, message: bytes) -> None:
        super().send(message)
        self.news.set()

    @property
    def events(self) -> list[pb.LoggedEvent]:
        return [pb.LoggedEvent.FromString(message) for message in self.messages]

    async def until(self, count: int) -> list[pb.LoggedEvent]:
        while len(self.messages) < count:
            self.news = trio.Event()
            await self.news.wait()
        return self.events


class Reads(Archive):
    """Counts them."""

    count = 0

    async def read(self, *args, **kwargs):
        self.count += 1
        return await super().read(*args, **kwargs)


@asynccontextmanager
async def listening(*requests: pb.FollowEventsRequest) -> AsyncIterator[tuple[Loop, list[Heard], Reads, EventService]]:
    async with running() as it, trio.open_nursery() as nursery:
        archive = Reads(it.disk)
        service = EventService(it.loop, Limits(), archive, nursery)
        calls = [Heard() for _ in requests]
        for call, request in zip(calls, requests, strict=True):
            service.follow_events(call, request.SerializeToString())
        yield it, calls, archive, service
        nursery.cancel_scope.cancel()


def start(it: Loop, workflow_id: str, workflow_type: str = "t") -> None:
    it.post(StartRun, workflow_id, workflow_type, workflow_id, f"run-{workflow_id}", "q", Payload(b"1"))


def test_nothing_is_told_before_it_is_durable() -> None:
    async def main() -> None:
        async with listening(pb.FollowEventsRequest()) as (it, (call,), _, _):
            await call.until(1)
            start(it, "a")
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert len(call.messages) == 1
            it.disk.gate.release()
            first, event = await call.until(2)
            assert (first.kind, first.position) == ("", 0)
            assert (event.kind, event.workflow_id, event.run_id, event.seq) == ("RunCreated", "a", "run-a", 1)
            assert (event.workflow_type, event.task_queue, event.position) == ("t", "q", 1)

    trio.run(main)


def test_a_listener_reads_only_when_there_is_something_new() -> None:
    async def main() -> None:
        async with listening(pb.FollowEventsRequest()) as (it, (call,), archive, _):
            await call.until(1)
            await trio.testing.wait_all_tasks_blocked(PAUSE_S)
            idle = archive.count
            for _ in range(5):
                it.loop.on_durable(it.loop.last_ticket)
                await trio.testing.wait_all_tasks_blocked(PAUSE_S / 2)
            assert archive.count == idle
            it.disk.gate.release()
            start(it, "a")
            await call.until(2)

    trio.run(main)


def test_a_filter_and_kinds_say_what_is_told() -> None:
    wanted = pb.FollowEventsRequest(filter="type:order id:b*", after_position=0)
    nothing = pb.FollowEventsRequest(kinds=["RunFailed"], after_position=0)
    whole = pb.FollowEventsRequest(kinds=["RunCreated"], last=2, whole=True)

    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(100)
            for name, kind in (("a1", "order"), ("b1", "order"), ("b2", "mail"), ("b3", "order")):
                start(it, name, kind)
            while len(it.answers) < 4:
                await it.hear()
            async with trio.open_nursery() as nursery:
                service = EventService(it.loop, Limits(), Archive(it.disk), nursery)
                calls = [Heard() for _ in range(3)]
                for call, request in zip(calls, (wanted, nothing, whole), strict=True):
                    service.follow_events(call, request.SerializeToString())
                assert [event.workflow_id for event in await calls[0].until(3)] == ["", "b1", "b3"]
                newest = await calls[2].until(3)
                assert [event.workflow_id for event in newest] == ["", "b2", "b3"]
                assert newest[1].event.run_created.input.data == b"1"
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert len(calls[1].messages) == 1
                calls[0].on_closed("gone")
                await trio.testing.wait_all_tasks_blocked()
                service.drain()
                assert [call.status and call.status.code for call in calls[1:]] == [Code.UNAVAILABLE] * 2
            assert not it.loop.followers

    trio.run(main)


def test_who_is_far_behind_goes_on_nearer_to_the_end_and_is_told() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(1_000)
            for number in range(100):
                start(it, f"w{number}")
            while len(it.answers) < 100:
                await it.hear()
            async with trio.open_nursery() as nursery:
                service = EventService(it.loop, Limits(), Archive(it.disk), nursery)
                near, far = Heard(), Heard()
                request = pb.FollowEventsRequest(after_position=0, behind_max=20)
                service.follow_events(near, request.SerializeToString())
                request.filter = "id:nobody"
                service.follow_events(far, request.SerializeToString())
                events = await near.until(11)
                assert [event.dropped for event in events] == [0, 90, *[0] * 9]
                assert [event.position for event in events] == [0, *range(91, 101)]
                # Also where nothing is meant: whoever counts has to know.
                assert [(event.kind, event.dropped, event.position) for event in await far.until(2)] == [
                    ("", 0, 0),
                    ("", 90, 100),
                ]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_where_one_is_is_told_now_and_then_though_nothing_is_meant() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(10_000)
            for number in range(2 * PAGE_EVENTS):
                start(it, f"w{number}")
            while len(it.answers) < 2 * PAGE_EVENTS:
                await it.hear()
            async with trio.open_nursery() as nursery:
                service, call = EventService(it.loop, Limits(), Archive(it.disk), nursery), Heard()
                request = pb.FollowEventsRequest(after_position=0, filter="id:nobody")
                service.follow_events(call, request.SerializeToString())
                assert [(event.kind, event.position) for event in await call.until(2)] == [("", 0), ("", PAGE_EVENTS)]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_whole_page_is_bounded_in_bytes() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(100)
            for name in "abc":
                it.post(StartRun, name, "t", name, f"run-{name}", "q", Payload(b"1" * 900_000))
            while len(it.answers) < 3:
                await it.hear()
            async with trio.open_nursery() as nursery:
                service, call = EventService(it.loop, Limits(), Archive(it.disk), nursery), Heard()
                service.follow_events(call, pb.FollowEventsRequest(after_position=0, whole=True).SerializeToString())
                assert [event.workflow_id for event in await call.until(4)] == ["", "a", "b", "c"]
                nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.FollowEventsRequest(filter="stat:x"), "filter, character 1"),
        (pb.FollowEventsRequest(kinds=["RunFinished"]), "no kind of event; there are RunCreated"),
        (pb.FollowEventsRequest(last=1_001), "at most 1000"),
        (pb.FollowEventsRequest(behind_max=1_000_001), "at most 1000000"),
    ],
)
def test_what_can_not_be_told_is_refused(request_: pb.FollowEventsRequest, words: str) -> None:
    async def main() -> None:
        async with listening(request_) as (_, (call,), _, _):
            assert call.status is not None
            assert call.status.code == Code.INVALID_ARGUMENT
            assert words in call.status.message

    trio.run(main)


def test_so_many_may_listen_and_the_server_itself_takes_no_seat_of_theirs() -> None:
    async def main() -> None:
        requests = [pb.FollowEventsRequest()] * (Limits().listeners_max + 1)
        async with listening(*requests) as (it, calls, _, _):
            await trio.testing.wait_all_tasks_blocked()
            refused = [call.status for call in calls if call.status is not None]
            assert [(status.code, status.message) for status in refused] == [
                (Code.RESOURCE_EXHAUSTED, "100 programs listen to all events; no room for another")
            ]
            assert not any(call.is_timed for call in calls if call.status is None)
            with it.loop.followers.listen() as listener:
                start(it, "a")
                it.disk.gate.release()
                await listener.news.wait()

    trio.run(main)


def test_a_place_that_a_log_does_not_have_is_its_end() -> None:
    async def main() -> None:
        async with listening(pb.FollowEventsRequest(after_position=10**12)) as (_, (call,), _, _):
            assert (await call.until(1))[0].position == 0

    trio.run(main)


def test_who_asks_again_and_again_gets_past_what_is_not_meant() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(5_000)
            for number in range(4 * PAGE_EVENTS):
                start(it, f"w{number}")
            start(it, "last", "rare")
            while len(it.answers) <= 4 * PAGE_EVENTS:
                await it.hear()
            async with trio.open_nursery() as nursery:
                service = EventService(it.loop, Limits(), Archive(it.disk), nursery)
                methods = {method.path: method for method in service.methods()}
                client = LocalClient(methods, Traffic())
                told: list[dict[str, object]] = []
                following = 0
                while not told and following <= 4 * PAGE_EVENTS:
                    before = following
                    answer = json.loads(
                        (await happened(client, {"filter": "type:rare", "after_position": str(following)})).body
                    )
                    told, following = answer["events"], answer["next"]
                    assert following > before
                assert [event["workflow_id"] for event in told] == ["last"]

    trio.run(main)
