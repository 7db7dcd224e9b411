import trio
import trio.testing

from aether.model.runs import RunState
from aether.server.tally import Tally


def test_counts_follow_runs_from_state_to_state() -> None:
    tally = Tally({("order", RunState.COMPLETED): 2})
    tally.open("order")
    tally.open("order")
    tally.change("order", RunState.PENDING, RunState.RUNNING)
    tally.change("order", RunState.RUNNING, RunState.COMPLETED)
    assert list(tally) == [("order", RunState.PENDING, 1), ("order", RunState.COMPLETED, 3)]


def test_runs_that_are_not_kept_are_not_counted() -> None:
    tally = Tally({("order", RunState.COMPLETED): 5, ("bill", RunState.FAILED): 1})
    tally.forget({("order", RunState.COMPLETED): 3, ("bill", RunState.FAILED): 1})
    assert list(tally) == [("order", RunState.COMPLETED, 2)]


def test_whoever_waits_for_closed_runs_is_woken_by_the_one_that_is_too_many_and_by_no_other() -> None:
    async def main() -> None:
        tally = Tally({("order", RunState.COMPLETED): 1, ("order", RunState.RUNNING): 9})
        await tally.more_closed_than(0)
        woken: list[int] = []

        async def wait() -> None:
            await tally.more_closed_than(2)
            woken.append(tally.closed)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            tally.change("order", RunState.RUNNING, RunState.FAILED)
            tally.open("order")
            await trio.testing.wait_all_tasks_blocked()
            assert woken == []
            tally.change("order", RunState.RUNNING, RunState.COMPLETED)
            await trio.testing.wait_all_tasks_blocked()
            assert woken == [3]
            tally.forget({("order", RunState.FAILED): 1})
            assert tally.closed == 2

    trio.run(main)
