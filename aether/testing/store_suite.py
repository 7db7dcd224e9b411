"""What every store must do, for the stores that come with Aether and for yours. Needs pytest.

    from aether.testing.store_suite import MakeStore, StoreSuite

    class TestMine(StoreSuite):
        @pytest.fixture
        def make_store(self, tmp_path: Path) -> MakeStore:
            return lambda: MyStore(tmp_path / "data")

Each call of `make_store` must give a new object; those of durable stores share what was committed. Stores are
closed by the suite.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from aether.model.filters import Pattern, RunFilter, TagTerm, TextTerm, parse_filter
from aether.store.interface import (
    Batch,
    EventRow,
    Reader,
    Retention,
    RunChange,
    RunRow,
    SettingRow,
    Store,
    StoreConflict,
)
from aether.testing.store_rows import FILTERS, NOBODY, NOW, event_row, labelled_runs, log_of, run_row

MakeStore = Callable[[], Store]

__all__ = ["FILTERS", "NOBODY", "NOW", "MakeStore", "StoreSuite", "event_row", "labelled_runs", "log_of", "run_row"]


def forget_all(store: Store, keep: Retention) -> dict[tuple[str, int], int]:
    """Until the store says that it is done; how many runs of which type and state left."""
    counts: Counter[tuple[str, int]] = Counter()
    for _ in range(1_000):
        forgotten = store.forget(keep, 10)
        counts.update(forgotten.counts)
        if forgotten.is_done:
            return dict(counts)
    raise AssertionError("it is never done")


class StoreSuite:
    """The suite. Not collected by itself; see the module docstring."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        raise NotImplementedError("give the suite a store")

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Iterator[Store]:
        store = make_store()
        store.open()
        yield store
        store.close()

    @pytest.fixture
    def reader(self, store: Store) -> Iterator[Reader]:
        reader = store.reader()
        yield reader
        reader.close()

    def test_says_what_it_is(self, store: Store) -> None:
        assert store.name.isidentifier()
        assert store.location
        assert isinstance(store.is_durable, bool)

    def test_first_open_creates_and_starts_keys_at_one(self, make_store: MakeStore) -> None:
        store = make_store()
        opened = store.open()
        store.close()
        assert opened.created
        assert opened.next_run_key == 1
        assert opened.epoch >= 1
        assert opened.damage == ()

    def test_every_open_counts_a_new_epoch_and_knows_the_next_key(self, make_store: MakeStore) -> None:
        store = make_store()
        epochs = []
        for key in (1, 2, 3):
            opened = store.open()
            epochs.append(opened.epoch)
            assert opened.created == (key == 1)
            assert opened.next_run_key == key
            store.commit([Batch(runs=[run_row(key)])])
            store.close()
            if store.is_durable:
                store = make_store()
        assert epochs == sorted(set(epochs))

    def test_close_may_be_called_twice(self, make_store: MakeStore) -> None:
        store = make_store()
        store.open()
        reader = store.reader()
        reader.close()
        reader.close()
        store.close()
        store.close()

    def test_an_empty_store_answers_everything(self, reader: Reader) -> None:
        assert list(reader.open_runs()) == []
        assert list(reader.open_events()) == []
        assert reader.events(1, 0, 10) == []
        assert reader.last_event(1) is None
        assert reader.newest_position() == 0
        assert reader.log_after(0, 10) == []
        assert reader.run("order-1", None) is None
        assert reader.run("order-1", "run-1") is None
        assert reader.run_by_key(1) is None
        assert reader.children(1, 10) == []
        assert reader.list_runs(limit=10) == []
        assert reader.counts() == {}
        assert list(reader.settings()) == []

    def test_what_is_committed_is_read_back_to_the_last_bit(self, store: Store, reader: Reader) -> None:
        run = RunRow(5, "id \N{SNOWMAN}\0'\"%", "", "t", "q", -3, 4, -1, 2**62, (("a \N{SNOWMAN}", ""), ("b", "'\"")))
        events = [EventRow(5, 1, -(2**63), 0, b""), EventRow(5, 2, 2**63 - 1, 2**31, bytes(range(256)) * 5000)]
        store.commit([Batch(runs=[run], events=events)])
        assert reader.run_by_key(5) == run
        assert reader.run(run.workflow_id, "") == run
        assert reader.events(5, 0, 10) == events

    def test_a_setting_is_the_one_that_was_committed_last(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(settings=[SettingRow("b", b"1"), SettingRow("a \N{SNOWMAN}", bytes(range(256)))])])
        store.commit(
            [Batch(settings=[SettingRow("b", b"2")]), Batch(settings=[SettingRow("c", b""), SettingRow("b", b"3")])]
        )
        store.commit([Batch(settings=[SettingRow("nothing", None)])])
        found = {row.name: row.value for row in reader.settings()}
        assert found == {"a \N{SNOWMAN}": bytes(range(256)), "b": b"3", "c": b""}
        store.commit([Batch(settings=[SettingRow("b", None), SettingRow("c", b"4"), SettingRow("c", None)])])
        assert [row.name for row in reader.settings()] == ["a \N{SNOWMAN}"]

    def test_settings_outlive_the_store_that_was_closed(self, make_store: MakeStore) -> None:
        store = make_store()
        store.open()
        store.commit([Batch(settings=[SettingRow("kept", b"1"), SettingRow("gone", b"1")])])
        store.commit([Batch(settings=[SettingRow("gone", None)])])
        store.close()
        if not store.is_durable:
            pytest.skip("this store forgets")
        store = make_store()
        store.open()
        reader = store.reader()
        try:
            assert list(reader.settings()) == [SettingRow("kept", b"1")]
        finally:
            reader.close()
            store.close()

    def test_a_run_that_changes_keeps_the_error_of_its_last_change(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(1), run_row(2, error="Early")])])
        store.commit([Batch(changes=[RunChange(1, 4, 9, "Boom"), RunChange(2, 5, 9)])])
        assert [run.error for run in reader.list_runs(limit=10)] == ["", "Boom"]
        assert reader.run_by_key(1) == run_row(1, state=4, closed_at=9, error="Boom")

    def test_a_commit_of_nothing_changes_nothing(self, store: Store, reader: Reader) -> None:
        store.commit([])
        store.commit([Batch(), Batch()])
        assert reader.counts() == {}

    @pytest.mark.parametrize("count", [1, 4, 15, 16, 17, 341, 700])
    def test_any_number_of_rows_goes_in_one_commit(self, store: Store, reader: Reader, count: int) -> None:
        runs = [run_row(key) for key in range(1, count + 1)]
        events = [event_row(key, 1) for key in range(1, count + 1)]
        store.commit([Batch(runs=[run], events=[event]) for run, event in zip(runs, events, strict=True)])
        changes = [RunChange(key, 2, None) for key in range(1, count + 1)]
        store.commit([Batch(changes=changes)])
        assert list(reader.open_runs()) == [attrs.evolve(run, state=2) for run in runs]
        assert list(reader.open_events()) == events

    def test_the_last_change_of_a_run_wins_within_a_commit(self, store: Store, reader: Reader) -> None:
        store.commit(
            [
                Batch(runs=[run_row(1)], changes=[RunChange(1, 2, None)]),
                Batch(changes=[RunChange(1, 3, None), RunChange(1, 4, 99)]),
            ]
        )
        assert reader.run_by_key(1) == run_row(1, state=4, closed_at=99)

    def test_a_closed_run_leaves_the_open_ones_and_keeps_its_log(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(1), run_row(2)], events=log_of(1, 2) + log_of(2, 3))])
        store.commit([Batch(changes=[RunChange(1, 2, 99)])])
        assert [run.key for run in reader.open_runs()] == [2]
        assert list(reader.open_events()) == log_of(2, 3)
        assert reader.events(1, 0, 10) == log_of(1, 2)

    def test_open_events_come_by_run_and_seq_however_they_were_written(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(2), run_row(1)])])
        for seq in (1, 2, 3):
            store.commit([Batch(events=[event_row(2, seq), event_row(1, seq)])])
        assert list(reader.open_events()) == log_of(1, 3) + log_of(2, 3)

    def test_events_are_read_in_pages(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(1), run_row(2)], events=log_of(1, 10) + log_of(2, 3))])
        log = log_of(1, 10)
        assert reader.events(1, 0, 4) == log[:4]
        assert reader.events(1, 4, 4) == log[4:8]
        assert reader.events(1, 8, 4) == log[8:]
        assert reader.events(1, 10, 4) == []
        assert reader.events(1, 0, 0) == []
        assert reader.last_event(1) == log[-1]
        assert reader.last_event(3) is None

    def test_events_of_all_runs_are_read_in_the_order_they_became_durable(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(1), run_row(2)], events=[event_row(2, 1)]), Batch(events=[event_row(1, 1)])])
        store.commit([Batch(events=[event_row(1, 2), event_row(2, 2), event_row(2, 3)])])
        found = reader.log_after(0, 10)
        order = [(1, 2), (2, 2), (2, 3)]
        assert [(event.run_key, event.seq) for _, event in found] == [(2, 1), (1, 1), *order]
        assert found[0][1] == event_row(2, 1)
        positions = [position for position, _ in found]
        assert positions == sorted(set(positions))
        assert positions[0] >= 1
        assert reader.newest_position() == positions[-1]
        assert reader.log_after(positions[0], 2) == found[1:3]
        assert reader.log_after(positions[-1], 10) == []
        assert reader.log_after(positions[-1] + 100, 10) == []

    def test_a_number_is_remembered_by_its_name(self, make_store: MakeStore) -> None:
        store = make_store()
        store.open()
        reader = store.reader()
        assert reader.recall("place") is None
        store.remember("place", 7)
        store.remember("other", 1)
        store.remember("place", 2**40)
        assert (reader.recall("place"), reader.recall("other")) == (2**40, 1)
        reader.close()
        store.close()
        if store.is_durable:
            again = make_store()
            again.open()
            reader = again.reader()
            assert reader.recall("place") == 2**40
            reader.close()
            again.close()

    def test_the_newest_run_of_a_workflow_id_is_found(self, store: Store, reader: Reader) -> None:
        runs = [run_row(key, workflow_id="same") for key in (1, 2, 3)] + [run_row(4)]
        store.commit([Batch(runs=runs)])
        assert reader.run("same", None) == runs[2]
        assert reader.run("same", "run-1") == runs[0]
        assert reader.run("same", "run-4") is None
        assert reader.run("sam", None) is None

    def test_children_are_found_by_their_parent(self, store: Store, reader: Reader) -> None:
        runs = [run_row(1), *(run_row(key, parent_key=1) for key in (2, 3, 4)), run_row(5, parent_key=2)]
        store.commit([Batch(runs=runs)])
        assert reader.children(1, 10) == runs[1:4]
        assert reader.children(1, 2) == runs[1:3]
        assert reader.children(5, 10) == []

    def test_counts_are_by_type_and_state(self, store: Store, reader: Reader) -> None:
        runs = [run_row(1), run_row(2), run_row(3, type="ship"), run_row(4)]
        store.commit([Batch(runs=runs, changes=[RunChange(4, 2, 9)])])
        assert reader.counts() == {("order", 1): 2, ("order", 2): 1, ("ship", 1): 1}

    def test_runs_are_listed_newest_or_oldest_first_in_pages(self, store: Store, reader: Reader) -> None:
        runs = [run_row(key) for key in range(1, 41)]
        store.commit([Batch(runs=runs)])
        assert reader.list_runs(limit=100) == runs[::-1]
        assert reader.list_runs(limit=0) == []
        assert reader.list_runs(limit=3) == runs[:-4:-1]
        assert reader.list_runs(before_key=38, limit=2) == [runs[36], runs[35]]
        assert reader.list_runs(before_key=1, limit=2) == []
        assert reader.list_runs(after_key=0, limit=3) == runs[:3]
        assert reader.list_runs(after_key=38, limit=9) == [runs[38], runs[39]]
        assert reader.list_runs(after_key=40, limit=9) == []

    @pytest.mark.parametrize("text", FILTERS)
    def test_a_filter_finds_what_it_means_whatever_the_pages(self, store: Store, reader: Reader, text: str) -> None:
        runs = labelled_runs()
        store.commit([Batch(runs=runs)])
        wanted = parse_filter(text, NOW)
        rows = {run.key: run for run in runs}
        expected = [run.key for run in runs[::-1] if wanted.matches(run, rows.get)]
        found: list[int] = []
        while page := reader.list_runs(wanted, before_key=found[-1] if found else None, limit=3):
            found += [run.key for run in page]
        assert found == expected
        oldest: list[int] = []
        while page := reader.list_runs(wanted, after_key=oldest[-1] if oldest else 0, limit=3):
            oldest += [run.key for run in page]
        assert oldest == expected[::-1]
        assert 0 < len(found) < len(runs) or text in NOBODY, "this filter tells nothing apart"

    def test_a_list_goes_by_the_state_that_a_run_has_now(self, store: Store, reader: Reader) -> None:
        store.commit([Batch(runs=[run_row(1), run_row(2, tags=(("a", "b"),))])])
        store.commit([Batch(changes=[RunChange(1, 2, None), RunChange(2, 3, NOW)])])
        assert [run.key for run in reader.list_runs(parse_filter("state:pending", NOW), limit=9)] == []
        assert [run.key for run in reader.list_runs(parse_filter("state:running", NOW), limit=9)] == [1]
        assert reader.list_runs(parse_filter("tag.a:b closed:<1s", NOW + 1), limit=9) == []
        (closed,) = reader.list_runs(parse_filter("tag.a:b closed:>1s", NOW + 1), limit=9)
        assert (closed.state, closed.closed_at, closed.tags) == (3, NOW, (("a", "b"),))

    @pytest.mark.parametrize("prefix", ["%", "_", "\ud7ff", "\U0010ffff", "a\U0010ffff", "\0"])
    def test_a_prefix_means_its_characters_and_nothing_else(self, store: Store, reader: Reader, prefix: str) -> None:
        names = ["a", "ab", "%x", "_x", "\ud7ff", "\ue000", "\U0010ffff!", "a\U0010ffff", "b", "\0x", "\1"]
        runs = [run_row(key, workflow_id=name, tags=(("t", name),)) for key, name in enumerate(names, 1)]
        store.commit([Batch(runs=runs)])
        pattern = (Pattern(prefix, is_prefix=True),)
        for term in (TextTerm("id", pattern), TagTerm("t", pattern)):
            found = reader.list_runs(RunFilter((term,)), limit=100)
            assert {run.workflow_id for run in found} == {name for name in names if name.startswith(prefix)}

    @pytest.mark.parametrize(
        "second",
        [
            Batch(runs=[run_row(9), run_row(1, workflow_id="other")]),
            Batch(runs=[run_row(9)], events=[event_row(9, 1), event_row(1, 1)]),
            Batch(runs=[run_row(9)], events=[event_row(9, 1), event_row(9, 1)]),
            Batch(runs=[run_row(9), run_row(9, workflow_id="other")]),
            Batch(runs=[run_row(9)], changes=[RunChange(1, 5, None), RunChange(77, 5, None)]),
        ],
        ids=["key", "event", "event twice", "key twice", "unknown run"],
    )
    def test_a_contradiction_is_refused_and_nothing_of_its_commit_kept(
        self, store: Store, reader: Reader, second: Batch
    ) -> None:
        first = Batch(runs=[run_row(1)], events=[event_row(1, 1)])
        store.commit([first])
        with pytest.raises(StoreConflict):
            store.commit([Batch(runs=[run_row(6)], events=[event_row(1, 2)]), second])
        assert reader.list_runs(limit=10) == first.runs
        assert reader.events(1, 0, 10) == first.events

    def test_two_runs_of_the_same_names_are_kept_and_the_newest_is_found(self, store: Store, reader: Reader) -> None:
        first, second, third = (run_row(key, workflow_id="same", run_id="same", closed_at=key) for key in (1, 2, 3))
        store.commit([Batch(runs=[first])])
        store.commit([Batch(runs=[second, third], events=[event_row(3, 1)])])
        assert (reader.run("same", "same"), reader.run("same", None)) == (third, third)
        assert reader.list_runs(limit=9) == [third, second, first]
        forget_all(store, Retention(count=1))
        assert (reader.run("same", "same"), reader.run_by_key(1)) == (third, None)

    def test_closed_runs_are_forgotten_from_the_oldest_on(self, store: Store, reader: Reader) -> None:
        runs = [run_row(key, state=3, closed_at=100 + key, tags=(("t", str(key % 2)),)) for key in range(1, 11)]
        store.commit([Batch(runs=[*runs, run_row(11)], events=[event for run in runs for event in log_of(run.key, 3)])])
        assert forget_all(store, Retention(since=104)) == {("order", 3): 3}
        assert [run.key for run in reader.list_runs(limit=99)] == [11, 10, 9, 8, 7, 6, 5, 4]
        assert forget_all(store, Retention(count=5)) == {("order", 3): 2}
        assert forget_all(store, Retention(since=107, count=5)) == {("order", 3): 1}
        assert [run.key for run in reader.list_runs(parse_filter("tag.t:0", NOW), limit=99)] == [10, 8]
        assert reader.counts() == {("order", 3): 4, ("order", 1): 1}
        assert (reader.run("order-6", None), reader.run_by_key(6), reader.events(6, 0, 9)) == (None, None, [])
        assert reader.events(7, 0, 9) == log_of(7, 3)
        assert forget_all(store, Retention()) == {}
        assert forget_all(store, Retention(count=0)) == {("order", 3): 4}
        assert reader.list_runs(limit=99) == [run_row(11)]

    def test_runs_are_kept_beside_their_open_parents_and_children(self, store: Store, reader: Reader) -> None:
        closed = {"state": 3, "closed_at": 9}
        runs = [
            run_row(1),
            run_row(2, parent_key=1, **closed),  # its parent is open
            run_row(3, **closed),
            run_row(4, parent_key=3),  # its parent is closed, and kept for its sake
            run_row(5, **closed),
            run_row(6, parent_key=5, **closed),
        ]
        store.commit([Batch(runs=runs)])
        assert forget_all(store, Retention(count=0)) == {("order", 3): 2}
        assert [run.key for run in reader.list_runs(limit=99)] == [4, 3, 2, 1]
        store.commit([Batch(changes=[RunChange(1, 3, 10), RunChange(4, 3, 10)])])
        assert forget_all(store, Retention(count=0)) == {("order", 3): 4}

    def test_a_place_in_the_order_is_given_once(self, make_store: MakeStore) -> None:
        store = make_store()
        store.open()
        closed = run_row(1, state=3, closed_at=5)
        store.commit([Batch(runs=[closed], events=log_of(1, 3))])
        reader = store.reader()
        newest = reader.newest_position()
        forget_all(store, Retention(count=0))
        assert reader.newest_position() == newest
        if store.is_durable:
            reader.close()
            store.close()
            store = make_store()
            store.open()
            reader = store.reader()
        store.commit([Batch(runs=[run_row(2)])])
        store.commit([Batch(events=[event_row(2, 1), event_row(2, 2)])])
        found = reader.log_after(newest, 10)
        assert [event for _, event in found] == [event_row(2, 1), event_row(2, 2)]
        assert found[0][0] > newest
        reader.close()
        store.close()

    def test_forgetting_goes_on_in_parts_and_between_commits(self, store: Store, reader: Reader) -> None:
        runs = [run_row(key, state=3, closed_at=key) for key in range(1, 101)]
        store.commit([Batch(runs=runs, events=[event for run in runs for event in log_of(run.key, 3)])])
        forgotten = 0
        for key in range(101, 501):
            store.commit([Batch(runs=[run_row(key)], events=log_of(key, 3))])
            part = store.forget(Retention(count=10), 7)
            assert sum(part.counts.values()) <= 7
            forgotten += sum(part.counts.values())
            assert reader.counts()["order", 3] == 100 - forgotten
            if part.is_done:
                break
        assert forgotten == 90
        assert [run.key for run in reader.list_runs(parse_filter("state:completed", NOW), limit=99)] == list(
            range(100, 90, -1)
        )
        assert len(list(reader.open_events())) == 3 * (key - 100)

    def test_the_key_of_a_forgotten_run_is_never_given_again(self, make_store: MakeStore) -> None:
        store = make_store()
        store.open()
        store.commit([Batch(runs=[run_row(7, state=3, closed_at=1)], events=log_of(7, 500))])
        assert sum(store.forget(Retention(count=0), 10).counts.values()) == 1
        store.close()
        if store.is_durable:
            store = make_store()
        assert store.open().next_run_key == 8
        store.close()

    def test_a_held_reader_answers_as_of_its_moment(self, store: Store, reader: Reader) -> None:
        if not store.is_durable:
            pytest.skip("this store is read by the thread that writes")
        store.commit([Batch(runs=[run_row(1, state=3, closed_at=1)], events=log_of(1, 3))])
        reader.hold()
        store.commit([Batch(runs=[run_row(2)])])
        forget_all(store, Retention(count=0))
        assert reader.list_runs(limit=9) == [run_row(1, state=3, closed_at=1)]
        assert reader.events(1, 0, 9) == log_of(1, 3)
        assert reader.counts() == {("order", 3): 1}

    def test_what_was_committed_survives_close(self, make_store: MakeStore) -> None:
        store = make_store()
        if not store.is_durable:
            pytest.skip("this store forgets")
        store.open()
        store.commit([Batch(runs=[run_row(1)], events=log_of(1, 3))])
        store.close()
        store = make_store()
        store.open()
        reader = store.reader()
        assert list(reader.open_runs()) == [run_row(1)]
        assert list(reader.open_events()) == log_of(1, 3)
        reader.close()
        store.close()

    def test_a_reader_in_another_thread_sees_whole_commits_while_they_are_made(
        self, store: Store, reader: Reader
    ) -> None:
        if not store.is_durable:
            pytest.skip("this store is read by the thread that writes")
        store.commit([Batch(runs=[run_row(1), run_row(2)])])

        def read_until_last() -> int:
            looks = 0
            while True:
                pairs = [event.run_key for event in reader.open_events()]
                assert pairs.count(1) == pairs.count(2)
                looks += 1
                if pairs.count(1) == 200:
                    return looks

        with ThreadPoolExecutor(1) as pool:
            looks = pool.submit(read_until_last)
            for seq in range(1, 201):
                store.commit([Batch(events=[event_row(1, seq)]), Batch(events=[event_row(2, seq)])])
                store.tidy()
            assert looks.result() >= 1
