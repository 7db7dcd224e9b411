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
