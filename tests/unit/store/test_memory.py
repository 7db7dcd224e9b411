"""Claims about the memory store beyond those that all stores share."""

from aether.store.interface import Batch, RunChange
from aether.store.memory import NEWEST_MAX, MemoryStore
from aether.testing.store_suite import event_row, log_of, run_row


def test_runs_that_closed_first_are_forgotten_first_with_all_that_belongs_to_them():
    store = MemoryStore(closed_max=2)
    store.open()
    runs = [run_row(key, workflow_id="same", parent_key=9) for key in (1, 2, 3, 4)]
    store.commit([Batch(runs=runs, events=[event for key in (1, 2, 3) for event in log_of(key, 2)])])
    for key in (3, 1, 4):
        store.commit([Batch(changes=[RunChange(key, 2, 50 + key)])])
    reader = store.reader()
    assert [run.key for run in reader.list_runs(limit=9)] == [4, 2, 1]
    assert reader.run("same", "run-3") is None
    assert reader.run_by_key(3) is None
    assert reader.events(3, 0, 9) == []
    assert [run.key for run in reader.children(9, 9)] == [1, 2, 4]
    assert reader.counts() == {("order", 2): 2, ("order", 1): 1}
    store.commit([Batch(runs=[run_row(5, workflow_id="same", run_id="run-3")])])
    assert reader.run("same", "run-3") is not None


def test_nothing_is_left_of_a_workflow_whose_runs_are_all_forgotten():
    store = MemoryStore(closed_max=0)
    store.commit([Batch(runs=[run_row(1, parent_key=7, closed_at=5)], events=[event_row(1, 1)])])
    held = [value for value in vars(store).values() if isinstance(value, dict | list)]
    assert [len(value) for value in held] == [0] * len(held)
    assert store.reader().run("order-1", None) is None


def test_a_run_that_is_opened_again_is_not_forgotten():
    store = MemoryStore(closed_max=0)
    store.commit([Batch(runs=[run_row(1, closed_at=5)], changes=[RunChange(1, 1, None)])])
    assert [run.key for run in store.reader().open_runs()] == [1]


def test_keys_of_forgotten_runs_are_not_given_again():
    store = MemoryStore(closed_max=0)
    store.open()
    store.commit([Batch(runs=[run_row(8, closed_at=5)])])
    store.close()
    assert store.open().next_run_key == 9


def test_what_is_being_read_does_not_change_under_the_reader():
    store = MemoryStore()
    store.commit([Batch(runs=[run_row(1), run_row(2)], events=log_of(1, 2))])
    reader = store.reader()
    runs, events = reader.open_runs(), reader.open_events()
    store.commit([Batch(changes=[RunChange(1, 2, 9)], events=[event_row(1, 3)])])
    assert [run.key for run in runs] == [1, 2]
    assert list(events) == log_of(1, 2)


def test_the_order_of_the_newest_events_alone_is_kept():
    store = MemoryStore()
    store.commit([Batch(runs=[run_row(1)], events=log_of(1, NEWEST_MAX + 5))])
    reader = store.reader()
    assert reader.newest_position() == NEWEST_MAX + 5
    first, *_ = reader.log_after(0, 2)
    assert first == (6, event_row(1, 6))
    assert [position for position, _ in reader.log_after(NEWEST_MAX + 3, 9)] == [NEWEST_MAX + 4, NEWEST_MAX + 5]
