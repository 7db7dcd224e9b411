"""The thread in which the writer works."""

import pytest
import trio

from aether.server.desk import ThreadDesk


def test_what_the_work_raises_is_raised_to_whoever_runs_it():
    async def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trio.run(ThreadDesk().run, work)


def test_work_that_does_not_block_but_suspends_is_a_bug_that_is_told():
    async def work():
        await trio.lowlevel.checkpoint()

    with pytest.raises((AssertionError, RuntimeError)):
        trio.run(ThreadDesk().run, work)


def test_cancelled_work_goes_on_to_its_end():
    done = []

    async def main():
        desk = ThreadDesk()

        async def work():
            while await desk.take() is not None:
                pass
            done.append("all")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.run, work)
            nursery.cancel_scope.cancel()
            desk.stop()

    trio.run(main)
    assert done == ["all"]
