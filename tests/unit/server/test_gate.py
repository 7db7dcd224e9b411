import trio
import trio.testing

from aether.server.gate import Gate


def test_opened_beforehand_the_next_wait_returns_at_once_and_only_that_one():
    async def main():
        gate = Gate()
        gate.open()
        with trio.fail_after(5):
            await gate.wait()
        with trio.move_on_after(1) as scope:
            await gate.wait()
        assert scope.cancelled_caught

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_opening_wakes_the_one_who_waits_once():
    async def main():
        gate = Gate()
        woken: list[int] = []

        async def sleeper():
            while True:
                await gate.wait()
                woken.append(len(woken))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleeper)
            await trio.testing.wait_all_tasks_blocked()
            assert gate.is_waited_for
            gate.open()
            gate.open()
            assert not gate.is_waited_for
            await trio.testing.wait_all_tasks_blocked()
            assert woken == [0]
            nursery.cancel_scope.cancel()
        assert not gate.is_waited_for

    trio.run(main)
