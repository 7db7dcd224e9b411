"""Answers of many messages: nothing is produced, and nothing is kept, for who has gone."""

import trio
import trio.testing

from aether.model.limits import Limits
from aether.server.archive import Archive
from aether.server.event_service import EventService
from aether.server.past_service import PastService
from aether.server.readiness import Readiness
from aether.server.replies import room, stream_later
from aether.server.tiers import Tier
from aether.wire import frames
from aether.wire.calls import Call
from aether.wire.frames import ErrorCode
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from tests.conformance.wire_peer import RawClient
from tests.unit.server.test_engine_loop import running, started

GONE = frames.rst_stream(1, ErrorCode.CANCEL)


def test_who_has_gone_before_he_was_heard_does_not_follow() -> None:
    requests = {
        b"/aether.v1.AdminService/FollowEvents": pb.FollowEventsRequest(),
        b"/aether.v1.AdminService/GetHistory": pb.GetHistoryRequest(workflow_id="a", follow=True),
        b"/aether.v1.AdminService/GetTimeline": pb.GetTimelineRequest(workflow_id="a", follow=True),
    }

    async def main() -> None:
        async with running() as it, trio.open_nursery() as nursery:
            it.disk.gate.release(100)
            started(it, "a")
            await it.hear()
            archive, limits = Archive(it.disk), Limits()
            readiness = Readiness(it.loop, it.loop.metrics.writer, Tier())  # type: ignore[arg-type]
            services = (
                EventService(it.loop, limits, archive, nursery),
                PastService(it.loop, limits, archive, readiness, nursery),
            )
            methods = [method for service in services for method in service.methods()]
            for path, request in requests.items():
                client = RawClient(methods)
                client.feed(client.request(1, request.SerializeToString(), P_path=path), GONE)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert not it.loop.followers, path
            assert not nursery.child_tasks

    trio.run(main)


def test_who_goes_while_more_is_looked_up_is_not_waited_for() -> None:
    async def main() -> None:
        client = RawClient()
        looked_up = trio.Event()
        sent: list[int] = []

        async def produce(call: Call) -> None:
            for number in range(3):
                await room(call)
                call.send(b"x" * 100_000)
                sent.append(number)
                await looked_up.wait()

        call = client.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream_later, call, lambda: produce(call))
            await trio.testing.wait_all_tasks_blocked()
            client.feed(GONE)
            looked_up.set()
            with trio.fail_after(5):
                while nursery.child_tasks:
                    await trio.lowlevel.checkpoint()
        assert sent == [0]

    trio.run(main)
