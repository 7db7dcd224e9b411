import socket

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aether.core.inputs import Input, Tick
from aether.server.clock import Clock
from aether.server.timekeeper import Timekeeper


def test_it_ticks_at_the_deadline_once_and_sleeps_while_nothing_is_due() -> None:
    async def main() -> None:
        clock = Clock()
        ticks: list[int] = []

        def post(item: Input) -> None:
            assert item == Tick()
            ticks.append(clock.now())

        async with trio.open_nursery() as nursery:
            keeper = Timekeeper(clock, post)
            first = clock.now() + 5_000_000
            keeper.set_due(first)
            nursery.start_soon(keeper.run)
            await trio.sleep(4)
            assert ticks == []
            await trio.sleep(2)
            assert len(ticks) == 1
            assert first <= ticks[0] <= first + 10
            await trio.sleep(3600)
            assert len(ticks) == 1
            later = clock.now() + 60_000_000
            keeper.set_due(later)
            keeper.set_due(later)
            sooner = clock.now() + 1_000_000
            keeper.set_due(sooner)
            await trio.sleep(2)
            assert len(ticks) == 2
            assert ticks[1] >= sooner
            keeper.set_due(clock.now() + 10_000_000)
            keeper.set_due(None)
            await trio.sleep(100)
            assert len(ticks) == 2
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_deadline_in_the_past_ticks_at_once() -> None:
    async def main() -> None:
        clock = Clock()
        ticks: list[Input] = []
        async with trio.open_nursery() as nursery:
            keeper = Timekeeper(clock, ticks.append)
            nursery.start_soon(keeper.run)
            await wait_all_tasks_blocked()
            keeper.set_due(clock.now() - 1)
            await wait_all_tasks_blocked()
            assert len(ticks) == 1
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_what_came_in_while_the_process_stood_still_is_heard_before_the_tick() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        came: list[object] = []

        async def read() -> None:
            while True:
                await trio.lowlevel.wait_readable(ours)
                came.append(ours.recv(1))

        with ours, theirs:
            async with trio.open_nursery() as nursery:
                now = Clock()
                keeper = Timekeeper(now, came.append)
                nursery.start_soon(keeper.run)
                nursery.start_soon(read)
                for number in range(1, 21):
                    keeper.set_due(now.now() + 1_000_000)
                    await wait_all_tasks_blocked()
                    theirs.send(b"!")
                    clock.jump(2)
                    while len(came) < 2 * number:
                        await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        assert came == [b"!", Tick()] * 20

    clock = MockClock()
    trio.run(main, clock=clock)
