"""Labels: which worker may take what, and what is said of tasks that nobody can take."""

import pytest

from aether.core.explain import explain
from aether.core.views import describe
from aether.model import commands as c
from tests.unit.core.engine_room import BOOM, Room, activity, child, data


@pytest.fixture
def room():
    return Room()


def given(room: Room) -> list[str]:
    """Ids of the runs that the last input handed out."""
    return [task.task.workflow_id for task in room.tasks()]


def test_a_task_goes_only_to_a_worker_that_has_all_its_labels(room):
    wanted = (("disk", "big"), ("gpu", "a100"))
    room.open(1, activities=())
    room.start()
    room.open(2, workflows=(), labels={"gpu": "a100"})
    room.complete(room.token(), activity(labels=wanted), activity("2", labels=wanted[1:]))
    assert [attempt.path for attempt in room.attempts()] == ["2"]
    room.open(3, workflows=(), labels={"gpu": "h100", "disk": "big"})
    room.open(4, workflows=())
    assert room.attempts() == []
    room.open(5, workflows=(), labels={"zone": "b", "gpu": "a100", "disk": "big"})
    assert [(attempt.session_id, attempt.path) for attempt in room.attempts()] == [(5, "1")]


def test_tasks_that_want_labels_are_served_in_the_same_order_as_those_that_do_not(room):
    gpu = (("gpu", "a100"),)
    room.open(1, activities=())
    room.start()
    order = (("1", ()), ("2", gpu), ("3", (("gpu", "h100"),)), ("4", ()), ("5", gpu))
    for path, labels in order:
        room.complete(room.token(), activity(path, labels=labels))
        room.tick(1)
    room.open(2, workflows=(), activity_slots=1, labels={"gpu": "a100"})
    served = []
    while room.attempts():
        served += [attempt.path for attempt in room.attempts()]
        room.complete(room.attempt(served[-1]), c.CompleteActivity(data()))
    assert served == ["1", "2", "4", "5"]
    assert room.activity("3").queued


def test_a_run_that_wants_labels_is_started_waked_and_found_again_only_by_workers_that_have_them(room):
    gpu = (("gpu", "a100"),)
    room.open(1)
    room.start(labels=gpu)
    assert given(room) == []
    room.open(2, labels=dict(gpu))
    assert given(room) == ["w"]
    room.complete(room.token(), c.StartTimer("1", 1_000), child("2", labels=gpu), child("3"))
    assert room.run("w/2").lease.session.session_id == 2
    assert room.run("w/3").lease.session.session_id == 1
    room.close(2)
    assert room.run().queued
    room.restart()
    room.open(3)
    assert room.run().queued
    room.open(4, labels=dict(gpu))
    assert {run.task.workflow_id for run in room.tasks()} == {"w", "w/2"}
    room.complete(room.token(), c.BlockRun(BOOM))
    room.open(5)
    assert room.run().blocked
    room.open(6, labels=dict(gpu))
    assert room.run().lease.session.session_id == 6


def test_a_blocked_run_goes_to_a_later_worker_that_is_there_already_if_it_has_its_labels(room):
    gpu = (("gpu", "a100"),)
    room.open(1, labels=dict(gpu))
    room.start(labels=gpu)
    room.open(2)
    room.open(3, labels=dict(gpu))
    room.complete(room.token(), c.BlockRun(BOOM))
    assert room.run().lease.session.session_id == 3


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("gpu=a100", "gpu=h100"), "no worker has label disk=big"),
        ((), "no worker has its type"),
        (("disk=big", "gpu=a100"), "no worker has all its labels disk=big, gpu=a100"),
        (("zone=a",), "no worker has label disk=big, gpu=a100"),
        (("disk=big gpu=a100",), "waits in task queue q"),
    ],
)
def test_a_task_that_waits_says_which_label_is_missing(room, labels, reason):
    room.open(1, workflows=("order",), activities=())
    room.start()
    for number, each in enumerate(labels, start=2):
        has = dict(label.split("=") for label in each.split())
        room.open(number, workflows=("ship",), labels=has, activity_slots=1)
    room.complete(room.token(), activity("0"), activity(labels=(("disk", "big"), ("gpu", "a100"))))
    room.start("s", "ship", labels=(("disk", "big"), ("gpu", "a100")))
    if reason.startswith("waits"):
        assert not room.run("s").queued
    else:
        assert describe(room.engine.state, room.run("s")).pending[-1].name == reason
    assert describe(room.engine.state, room.run()).pending[-1].reason == reason
    assert reason.startswith("waits") or reason.removeprefix("no worker has ") in _sentence(room, reason)


def _sentence(room: Room, reason: str) -> str:
    sentence = explain(room.engine.state, room.run()).sentence
    return sentence.replace("is connected that has activity 'charge' in task queue 'q'", "its type")
