"""How a worker comes back when its session is lost, on a virtual clock."""

from itertools import pairwise

import trio
import trio.testing

from aether.sdk.converters import Converter
from aether.sdk.worker import Worker, settings_of
from aether.wire.status import Code, RpcError


class Session:
    """Registers, lasts so long, and is lost."""

    lasts_s = 0.0

    def __init__(self, *_: object) -> None: ...

    async def run(self, on_registered):
        on_registered()
        await trio.sleep(self.lasts_s)
        raise ExceptionGroup("", [RpcError(Code.UNAVAILABLE, "lost")])


class LastingSession(Session):
    lasts_s = 2.0


class Transport:
    async def open_stream(self, path):
        await trio.lowlevel.checkpoint()


def registrations(make_session, seconds):
    """When they were, in seconds from the begin."""
    times: list[float] = []

    async def main():
        settings = settings_of("worker", "default", {"w": None}, {}, (1, 1), 10)  # type: ignore[dict-item]
        worker = Worker(Transport(), settings, Converter(), make_session=make_session)  # type: ignore[arg-type]
        begin = trio.current_time()
        with trio.move_on_after(seconds):
            await worker.run(lambda: times.append(trio.current_time() - begin))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return times


def test_sessions_that_are_lost_at_once_come_more_and_more_seldom():
    times = registrations(Session, 120)
    assert 20 < len(times) < 100
    assert min(after - before for before, after in pairwise(times[-6:])) > 2


def test_a_session_that_has_lasted_is_followed_by_the_next_one_soon():
    times = registrations(LastingSession, 120)
    assert max(after - before for before, after in pairwise(times)) < 2.2
