import gc
import weakref

from aether.core.queues import QueueKey, TaskQueues, key_of
from aether.core.run import Activity, Run
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS
from aether.model.runs import TaskKind

KEY = QueueKey("q", TaskKind.WORKFLOW, "order")
OTHER = QueueKey("q", TaskKind.WORKFLOW, "ship")


def run(number: int = 1) -> Run:
    return Run(number, f"w{number}", f"r{number}", "order", "q", None, 0)


def test_the_line_a_task_waits_in_is_its_queue_its_kind_and_its_type():
    activity = Activity(run(), "1", "charge", "other", Payload(b""), DEFAULT_RETRY, NO_TIMEOUTS, 0)
    assert key_of(run()) == ("q", TaskKind.WORKFLOW, "order")
    assert key_of(activity) == ("other", TaskKind.ACTIVITY, "charge")


def test_who_came_first_is_served_first():
    queues, first, second = TaskQueues(), run(1), run(2)
    queues.push(KEY, first, 10)
    queues.push(KEY, second, 20)
    assert list(queues.waiting(KEY)) == [first, second]
    assert list(queues.depths()) == [(KEY, 2, 10)]
    assert queues.pop(KEY) is first
    assert not first.queued
    assert queues.pop(KEY) is second
    assert queues.head(KEY) is None
    assert list(queues.depths()) == []
    assert list(queues.waiting(KEY)) == []


def test_who_leaves_the_line_is_passed_over():
    queues, first, second = TaskQueues(), run(1), run(2)
    queues.push(KEY, first, 10)
    queues.push(KEY, second, 20)
    queues.remove(KEY, first)
    assert list(queues.waiting(KEY)) == [second]
    assert list(queues.depths()) == [(KEY, 1, 20)]
    assert queues.pop(KEY) is second


def test_who_leaves_and_comes_back_stands_at_the_end():
    queues, first, second = TaskQueues(), run(1), run(2)
    for item in (first, second):
        queues.push(KEY, item, 0)
    queues.remove(KEY, first)
    queues.push(KEY, first, 5)
    assert [queues.pop(KEY), queues.pop(KEY)] == [second, first]


def test_a_line_that_everybody_left_is_empty():
    queues, first = TaskQueues(), run()
    queues.push(KEY, first, 0)
    queues.remove(KEY, first)
    assert list(queues.depths()) == []
    assert queues.head(KEY) is None
    assert queues.head(OTHER) is None


def test_starting_and_cancelling_behind_somebody_who_waits_does_not_fill_the_memory():
    queues, patient = TaskQueues(), run(0)
    queues.push(KEY, patient, 0)
    gone = []
    for number in range(1, 1_000):
        item = run(number)
        queues.push(KEY, item, number)
        queues.remove(KEY, item)
        gone.append(weakref.ref(item))
    del item
    gc.collect()
    assert sum(ref() is not None for ref in gone) < 100
    assert queues.pop(KEY) is patient
