import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st

from aether.core.queues import QueueKey, TaskQueues, key_of
from aether.core.run import Activity, Run
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ConcurrencyLimit
from aether.model.runs import TaskKind

KEY = QueueKey("q", TaskKind.WORKFLOW, "order")
OTHER = QueueKey("q", TaskKind.WORKFLOW, "ship")


def run(number: int = 1, priority: int = 3) -> Run:
    return Run(number, f"w{number}", f"r{number}", "order", "q", None, 0, priority=priority)


def served(queues: TaskQueues) -> list[int]:
    """Numbers of the runs, in the order in which they are handed out."""
    order: list[int] = []
    while queues.head(KEY) is not None:
        item = queues.pop(KEY)
        assert isinstance(item, Run)
        order.append(item.key)
    return order


def test_the_line_a_task_waits_in_is_its_queue_its_kind_and_its_type():
    activity = Activity(run(), "1", "charge", "other", Payload(b""), DEFAULT_RETRY, NO_TIMEOUTS, 0)
    assert key_of(run()) == ("q", TaskKind.WORKFLOW, "order", ())
    assert key_of(activity) == ("other", TaskKind.ACTIVITY, "charge", ())


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


def test_the_urgent_is_served_first_and_equals_in_their_order():
    queues, urgent = TaskQueues(), run()
    for number, priority in enumerate((5, 3, 1, 3, 5, 1, 4, 2)):
        item = run(number, priority)
        queues.push(KEY, item, number)
        urgent = item if number == 2 else urgent
    assert next(iter(queues.waiting(KEY))) is urgent
    assert served(queues) == [2, 5, 7, 1, 3, 6, 0, 4]


def test_an_activity_is_as_urgent_as_its_run():
    queues, later = TaskQueues(), run(1, 1)
    queues.push(KEY, run(2, 2), 0)
    urgent = Activity(later, "1", "charge", "q", Payload(b""), DEFAULT_RETRY, NO_TIMEOUTS, 0)
    queues.push(KEY, urgent, 1)
    assert queues.pop(KEY) is urgent


def test_a_minute_of_waiting_is_worth_one_priority():
    queues = TaskQueues()
    queues.push(KEY, run(1, 2), 0)
    queues.push(KEY, run(2, 1), 60_000_000 - 1)
    assert served(queues) == [2, 1]
    queues.push(KEY, run(1, 2), 0)
    queues.push(KEY, run(2, 1), 60_000_000)
    assert served(queues) == [1, 2]


def test_a_run_that_goes_on_stands_where_a_new_one_of_a_minute_before_would():
    queues, woken = TaskQueues(), run(1)
    woken.attempts = 1
    queues.push(KEY, run(2), 0)
    queues.push(KEY, run(3), 1)
    queues.push(KEY, woken, 60_000_001)
    assert served(queues) == [2, 3, 1]
    queues.push(KEY, run(2), 2)
    queues.push(KEY, run(3, 2), 2)
    queues.push(KEY, woken, 60_000_001)
    assert served(queues) == [3, 1, 2]


def test_nobody_starves_however_much_comes_that_is_urgent():
    queues = TaskQueues()
    queues.push(KEY, run(0, 5), 0)
    for second in range(1, 600):
        queues.push(KEY, run(second, 1), second * 1_000_000)
        item = queues.pop(KEY)
        if item.queued == 0 and isinstance(item, Run) and item.key == 0:
            break
    assert second == 240


def test_a_line_keeps_its_order_when_it_is_cleaned_up():
    queues = TaskQueues()
    for number in range(200):
        queues.push(KEY, run(number, 1 + number % 5), 0)
    gone = [item for item in queues.waiting(KEY) if isinstance(item, Run) and item.key % 10 != 7]
    for item in gone:
        queues.remove(KEY, item)
    assert served(queues) == sorted(range(7, 200, 10), key=lambda number: (number % 5, number))


def test_who_waits_can_be_told_its_place():
    queues, first, second, urgent = TaskQueues(), run(1), run(2), run(3, priority=1)
    assert queues.count(KEY) == 0
    assert queues.place(KEY, first, 10) == 0
    for item in (first, second, urgent):
        queues.push(KEY, item, 10)
    assert queues.count(KEY) == queues.ready == 3
    assert [queues.place(KEY, item, 10) for item in (first, second, urgent)] == [2, 3, 1]
    queues.remove(KEY, first)
    assert queues.place(KEY, second, 10) == 2
    # Two wait: more than may be looked at.
    assert queues.place(KEY, second, 1) == 0


def test_a_line_in_which_nobody_waits_any_more_is_forgotten_with_all_who_left_it():
    queues, gone = TaskQueues(), run()
    queues.push(KEY, gone, 0)
    queues.remove(KEY, gone)
    left = weakref.ref(gone)
    del gone
    gc.collect()
    assert left() is None
    assert queues._lines == {}


def limited(number: int, priority: int = 3) -> Run:
    item = run(number, priority)
    item.concurrency = ConcurrencyLimit("bank", 1)
    return item


def test_offers_of_a_limit_do_not_pile_up_while_nobody_serves():
    queues, patient = TaskQueues(), limited(1)
    queues.push(KEY, patient, 0)
    for number in range(2, 500):
        urgent = limited(number, priority=1)
        queues.push(KEY, urgent, number)
        queues.remove(KEY, urgent)
    assert len(queues.offered(KEY)) < 100
    assert served(queues) == [1]


def test_offers_that_stay_are_good_after_a_line_was_cleaned_up():
    queues, free = TaskQueues(), [run(number) for number in range(1000, 1100)]
    waiting = [limited(number, priority=2) for number in (1, 2)]
    for item in waiting:
        queues.push(KEY, item, 0)
    for item in free:
        queues.push(KEY, item, 0)
    for item in free[1:]:
        queues.remove(KEY, item)
    assert served(queues) == [1, 1000]
    queues.end(ConcurrencyLimit("bank", 1))
    assert served(queues) == [2]


@given(
    st.sets(
        st.lists(st.sampled_from("abcd"), unique=True, max_size=3).map(
            lambda names: tuple((name, "1") for name in sorted(names))
        )
    ),
    st.sets(st.sampled_from("abcde")),
)
def test_a_worker_looks_at_the_lines_whose_labels_it_has_and_at_no_other(variants, names):
    queues, has = TaskQueues(), dict.fromkeys(names, "1")
    for number, labels in enumerate(sorted(variants)):
        queues.push(KEY._replace(labels=labels), run(number + 1), number)
    wanted = {labels for labels in variants if labels and names.issuperset(name for name, _ in labels)}
    assert {key.labels for key in queues.labelled(KEY, has)} == wanted


def test_a_worker_without_labels_looks_at_one_line_however_many_variants_wait():
    queues = TaskQueues()
    for number in range(1, 300):
        queues.push(KEY._replace(labels=(("customer", str(number)),)), run(number), number)
    assert list(queues.labelled(KEY, {})) == []
    looked = sum(1 for _ in queues.labelled(KEY, {"customer": "7", "zone": "b"}))
    assert looked == 1
