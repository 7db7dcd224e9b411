"""Task queues that are paused, and those that hand out no more than so many activities."""

from typing import Any

import pytest

from aether.core import inputs as i
from aether.core.explain import explain
from aether.core.gates import Gate, QueueState
from aether.core.views import describe, queue_states
from aether.errors import LimitExceeded
from aether.model import commands as c
from aether.model.runs import TaskKind
from tests.unit.core.engine_room import Room, activity, data, done

OK = c.CompleteActivity(data())


@pytest.fixture
def room():
    return Room()


def set_queue(room: Room, name: str = "q", **changes: Any) -> Any:
    return room.ask(i.SetQueue, name, **changes)


def given(room: Room) -> list[str]:
    return [task.task.workflow_id for task in room.tasks()]


def begun(room: Room) -> list[str]:
    return [attempt.path for attempt in room.attempts()]


def test_a_paused_queue_hands_out_nothing_and_what_is_in_hand_goes_on(room):
    room.open()
    room.start("a")
    room.complete(room.token("a"), activity("1"))
    answer = set_queue(room, paused=True, reason="deploy")
    assert answer == QueueState("q", True, "deploy", 0, 1, 0, 0, 1, 1)
    room.start("b")
    room.start("elsewhere", queue="other")
    room.open(2)
    room.open(3, queue="other")
    assert given(room) == ["elsewhere"]
    room.complete(room.attempt("1", "a"), OK)
    room.complete(room.token("a"), activity("2"))
    assert begun(room) == []
    assert describe(room.engine.state, room.run("b")).pending[-1].name == "task queue q is paused (deploy)"
    assert "is paused (deploy)" in explain(room.engine.state, room.run("b")).sentence
    room.complete(room.token("a"), c.CancelPending("2"), done())
    assert set_queue(room, paused=False) == QueueState("q", False, "", 0, 2, 0, 0, 1, 0)
    assert given(room) == ["b"]
    assert not room.engine.state.gates
    room.complete(room.token("b"), done())


def test_a_paused_queue_is_named_also_while_no_worker_has_what_waits_in_it(room):
    room.start("a")
    set_queue(room, paused=True, reason="deploy")
    assert describe(room.engine.state, room.run("a")).pending[-1].name == (
        "no worker has its type, and task queue q is paused (deploy)"
    )
    assert explain(room.engine.state, room.run("a")).sentence == (
        "workflow 'a' waits for a worker: no worker is connected that has workflow 'order' in task queue 'q', "
        "and task queue q is paused (deploy)."
    )


def test_a_run_in_memory_at_a_worker_of_a_paused_queue_waits_there(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    set_queue(room, paused=True)
    room.sleep(3)
    assert room.news() == []
    assert "task queue q is paused" in explain(room.engine.state, room.run()).sentence
    set_queue(room, paused=False)
    assert room.news() == [(1, 4, 4)]


def test_a_queue_with_a_limit_hands_out_no_more_attempts(room):
    room.open(1, activities=())
    room.open(2, workflows=())
    room.open(3, workflows=())
    room.start()
    set_queue(room, activity_limit=2)
    room.complete(room.token(), *[activity(str(number)) for number in range(1, 6)])
    assert begun(room) == ["1", "2"]
    room.start("other")
    assert given(room) == ["other"], "runs are not limited"
    reason = describe(room.engine.state, room.run()).pending[2].reason
    assert reason == "task queue q has 2 of at most 2 attempts at a time"
    room.complete(room.attempt("1"), OK)
    assert begun(room) == ["3"]
    room.close(2)
    room.tick(1)
    assert len([path for path, item in room.run().pending.items() if item.lease]) == 2
    set_queue(room, activity_limit=3)
    assert len(begun(room)) == 1
    set_queue(room, activity_limit=0)
    assert len(begun(room)) == 1
    assert not room.engine.state.gates


def test_a_place_that_is_free_is_taken_by_another_worker_of_the_queue(room):
    room.open(1, activities=())
    room.open(2, workflows=(), activities=("charge",))
    room.open(3, workflows=(), activities=("mail",))
    room.start()
    set_queue(room, activity_limit=1)
    room.complete(room.token(), activity("1"), activity("2", "mail"))
    assert begun(room) == ["1"]
    room.complete(room.attempt("1"), OK)
    assert [(attempt.session_id, attempt.path) for attempt in room.attempts()] == [(3, "2")]


def test_what_was_there_before_counts(room):
    room.open()
    room.open(2, queue="other")
    room.start()
    room.complete(room.token(), activity("1"), activity("2"), activity("3"))
    assert set_queue(room, activity_limit=2).activities_active == 3
    room.complete(room.token(), activity("4"))
    room.complete(room.attempt("1"), OK)
    assert begun(room) == []
    room.complete(room.attempt("2"), OK)
    assert begun(room) == ["4"]


def test_a_queue_keeps_its_limit_while_it_is_paused(room):
    set_queue(room, activity_limit=2)
    set_queue(room, paused=True)
    set_queue(room, paused=False)
    assert queue_states(room.engine.state) == [QueueState("q", False, "", 2, 0, 0, 0, 0, 0)]
    set_queue(room, activity_limit=0)
    assert queue_states(room.engine.state) == []


def test_queues_are_listed_with_what_waits_in_them(room):
    room.start("a", queue="b")
    room.start("b", kind="ship", queue="b")
    room.open(queue="a")
    assert queue_states(room.engine.state) == [
        QueueState("a", False, "", 0, 1, 0, 0, 0, 0),
        QueueState("b", False, "", 0, 0, 2, 0, 0, 0),
    ]


def test_there_are_not_too_many_gates():
    room = Room(gates_max=1)
    set_queue(room, paused=True)
    assert isinstance(set_queue(room, "other", paused=True), LimitExceeded)
    set_queue(room, paused=False)
    assert isinstance(set_queue(room, "other", paused=True), QueueState)


def test_an_open_gate_says_nothing():
    gate = Gate("q", limit=1)
    assert gate.why_shut(TaskKind.ACTIVITY) == ""
    assert gate.is_needed
    gate.running = 1
    assert gate.why_shut(TaskKind.WORKFLOW) == ""
    assert gate.why_shut(TaskKind.ACTIVITY) == "task queue q has 1 of at most 1 attempts at a time"
    gate.paused = True
    assert gate.why_shut(TaskKind.WORKFLOW) == "task queue q is paused"


def test_what_is_set_of_a_queue_outlives_the_server(room):
    set_queue(room, paused=True, reason="deploy")
    set_queue(room, "other", activity_limit=1)
    set_queue(room, "third", paused=True)
    set_queue(room, "third", paused=False)
    room.start("a")
    room.start("b", queue="other")
    room.restart()
    other, q = queue_states(room.engine.state)
    assert (other.task_queue, other.paused, other.activity_limit) == ("other", False, 1)
    assert (q.task_queue, q.paused, q.reason, q.activity_limit) == ("q", True, "deploy", 0)
    room.open()
    room.open(2, queue="other")
    assert given(room) == ["b"]
    assert "is paused (deploy)" in explain(room.engine.state, room.run("a")).sentence
    room.complete(room.token("b"), activity("1", queue="other"), activity("2", queue="other"))
    assert begun(room) == ["1"]
    set_queue(room, paused=False)
    room.restart()
    assert [each.task_queue for each in queue_states(room.engine.state) if each.paused] == []
