"""What the open runs do, counted."""

from functools import partial

import trio
import trio.testing

from aether.core.engine import Engine
from aether.core.inputs import StartRun
from aether.core.views import Detail
from aether.model.payload import Payload
from aether.server.census import Census


def engine_with(count: int) -> Engine:
    engine = Engine(1)
    for number in range(count):
        engine.apply(StartRun(None, "t", f"{number}", f"{number}", "q", Payload(b"")), 1)
    return engine


def test_runs_are_counted_a_little_at_a_time_and_the_count_is_good_for_a_moment():
    engine = engine_with(2_100)
    census = Census(engine.state)
    passes = 0
    clock = trio.testing.MockClock()

    async def other() -> None:
        nonlocal passes
        while True:
            passes += 1
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            counts = await census.take()
            assert counts == {Detail.QUEUED: 2_100}
            assert passes >= 4
            engine.state.runs.clear()
            assert await census.take() == {Detail.QUEUED: 2_100}
            clock.jump(1.5)
            assert await census.take() == {}
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)


def test_those_who_ask_at_the_same_time_share_a_count():
    census = Census(engine_with(1_500).state)
    taken: list[object] = []

    async def take() -> None:
        taken.append(await census.take())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(take)

    trio.run(partial(main), clock=trio.testing.MockClock())
    assert taken[0] is taken[1] is taken[2]
