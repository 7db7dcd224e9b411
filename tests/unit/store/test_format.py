"""Claims about how an event is protected on its way to the disk and back."""

import sys
from itertools import pairwise

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aether.store.format import (
    ROW_SIZES,
    LogCheck,
    StoredEvent,
    StoredRun,
    checksum,
    is_sound,
    lost,
    pack_tags,
    prefix_end,
    run_checksum,
    seal,
    setting_checksum,
    show_run,
    split_rows,
    unpack_tags,
    unseal,
    unseal_run,
    unseal_setting,
)
from aether.store.interface import EventRow, RunRow, SettingRow, StoreDamaged

int64 = st.integers(-(2**63), 2**63 - 1)
events = st.builds(EventRow, int64, int64, int64, int64, st.binary(max_size=300))
texts = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\ud7ff\ue000\U0010ffff")))


@given(events)
def test_an_event_comes_back_as_it_was(event: EventRow):
    assert unseal(seal(event), "a file") == event


@given(events, st.data())
def test_any_flipped_bit_is_noticed_and_the_row_named(event: EventRow, data: st.DataObject):
    run_key, seq, at, kind, crc, body = seal(event)
    where = data.draw(st.sampled_from(["at", "kind", "crc", *(["body"] if body else [])]))
    bit = data.draw(st.integers(0, 31))
    if where == "body":
        place = data.draw(st.integers(0, len(body) - 1))
        body = body[:place] + bytes([body[place] ^ 1 << bit % 8]) + body[place + 1 :]
    at ^= (where == "at") << bit
    kind ^= (where == "kind") << bit
    crc ^= (where == "crc") << bit
    with pytest.raises(StoreDamaged, match=r"a file: event .* is not what was written") as caught:
        unseal((run_key, seq, at, kind, crc, body), "a file")
    assert (caught.value.run_key, caught.value.seq) == (run_key, seq)


def test_an_event_that_became_another_runs_is_noticed():
    _, seq, at, kind, crc, body = seal(EventRow(1, 1, 1, 1, b"body"))
    with pytest.raises(StoreDamaged):
        unseal((2, seq, at, kind, crc, body), "a file")


def test_the_checksum_stays_what_it_is_in_files_that_exist():
    assert checksum(1, 2, 1_700_000_000_000_000, 3, b"body") == 0xA6DBEF24


def test_a_lost_event_is_named():
    error = lost(4, 5, "a file")
    assert (error.run_key, error.seq) == (4, 5)
    assert "event 5 of run 4 is missing" in str(error)


@pytest.mark.parametrize("odd", [None, "text", 1.5, 2**64])
@pytest.mark.parametrize("column", range(6))
def test_a_row_that_holds_something_of_another_kind_is_damaged(column: int, odd: object):
    row: list[object] = list(seal(EventRow(1, 1, 1, 1, b"body")))
    row[column] = odd
    assert not is_sound(tuple(row))  # type: ignore[arg-type]


runs = st.builds(
    RunRow,
    key=int64,
    workflow_id=texts,
    run_id=texts,
    type=texts,
    queue=texts,
    state=int64,
    parent_key=st.none() | st.integers(1, 2**63 - 1),
    created_at=int64,
    closed_at=st.none() | int64,
    tags=st.dictionaries(texts, texts, max_size=3).map(lambda tags: tuple(sorted(tags.items()))),
    error=texts,
)


def stored_form(run: RunRow) -> StoredRun:
    names = (run.workflow_id.encode(), run.run_id.encode(), run.type.encode(), run.queue.encode())
    tags = pack_tags(run.tags).encode()
    error = run.error.encode()
    return run.key, *names, run.state, run.parent_key, run.created_at, run.closed_at, tags, error, run_checksum(run)


@given(runs)
def test_a_run_comes_back_as_it_was(run: RunRow):
    assert unseal_run(stored_form(run), "a file") == run
    assert show_run(stored_form(run)) == run


@given(runs, st.sampled_from([0, 1, 2, 3, 4, 6, 7, 9, 11]), st.sampled_from([None, b"", b"\xff", 17, "text", 2**70]))
def test_a_run_with_another_value_is_named_but_can_be_shown(run: RunRow, column: int, odd: object):
    row: list[object] = list(stored_form(run))
    assume(row[column] != odd)
    row[column] = odd
    with pytest.raises(StoreDamaged, match=r"a file: run .* is not what was written"):
        unseal_run(tuple(row), "a file")  # type: ignore[arg-type]
    assert show_run(tuple(row)).state == run.state  # type: ignore[arg-type]


@pytest.mark.parametrize("column", [5, 8, 10])
def test_a_state_of_another_kind_is_damaged(column: int):
    row: list[object] = list(stored_form(RunRow(1, "w", "r", "t", "q", 1, None, 1, None)))
    row[column] = b"text" if column != 10 else None
    with pytest.raises(StoreDamaged):
        unseal_run(tuple(row), "a file")  # type: ignore[arg-type]
    assert show_run(tuple(row)).error == ""  # type: ignore[arg-type]


def test_texts_that_trade_letters_are_noticed():
    one = RunRow(1, "ab", "c", "t", "q", 1, None, 1, None)
    assert run_checksum(one) != run_checksum(attrs.evolve(one, workflow_id="a", run_id="bc"))


@given(st.integers(0, 5000))
def test_rows_are_split_into_prepared_sizes_largest_first(count: int):
    sizes = split_rows(count)
    assert sum(sizes) == count
    assert set(sizes) <= set(ROW_SIZES)
    assert all(first >= second for first, second in pairwise(sizes))


@given(texts, texts)
def test_a_prefix_holds_exactly_the_texts_between_it_and_its_end(prefix: str, text: str):
    end = prefix_end(prefix)
    for candidate in (text, prefix + text):
        assert candidate.startswith(prefix) == (prefix <= candidate and (end is None or candidate < end))


def test_a_prefix_without_an_end_has_none():
    assert prefix_end("") is None
    assert prefix_end(chr(sys.maxunicode) * 3) is None


@pytest.mark.parametrize("odd", [None, b"17", b"[17]", b'["abc"]', b'[["a",1,2]]', b"[[", b"\xff", b"[" * 100_000])
def test_tags_that_nobody_has_written_are_noticed_and_shown_as_none(odd: bytes):
    run = RunRow(1, "w", "r", "t", "q", 1, None, 1, None, (("a", "b"),))
    row = list(stored_form(run))
    row[9] = odd
    with pytest.raises(StoreDamaged):
        unseal_run(tuple(row), "a file")  # type: ignore[arg-type]
    assert show_run(tuple(row)).tags == ()  # type: ignore[arg-type]


def test_a_run_without_tags_has_the_checksum_of_the_first_format():
    assert run_checksum(RunRow(1, "w", "r", "t", "q", 1, None, 1, None)) == 0x8AC97B7E
    assert unpack_tags(b"") == ()


def test_a_log_is_checked_row_by_row_and_goes_on_behind_a_run_with_a_fault():
    def log(key: int, *seqs: int) -> list[StoredEvent]:
        return [seal(EventRow(key, seq, 7, 20, b"%d" % seq)) for seq in seqs]

    flipped = (*seal(EventRow(2, 2, 7, 20, b"x"))[:5], b"y")
    odd: StoredEvent = (4, 1, 7, 20, 1, None)  # type: ignore[assignment]
    rows = iter([*log(1, 1, 2), *log(2, 1), flipped, *log(2, 3, 4), *log(3, 1, 3), odd, *log(5, 1)])
    check, found, said = LogCheck("a file"), list[EventRow](), list[str]()
    while (damage := check.take(rows, found)) is not None:
        said.append(damage.what)
    assert [(event.run_key, event.seq) for event in found] == [(1, 1), (1, 2), (2, 1), (3, 1), (5, 1)]
    assert said == [
        "event 2 of run 2 is not what was written (checksum)",
        "event 2 of run 3 is missing although later ones are there",
        "event 1 of run 4 is not what was written (checksum)",
    ]
    assert check.take(iter(log(5, 2, 3)), found) is None, "the log of a run may come in parts"
    assert [event.seq for event in found[-2:]] == [2, 3]
    assert check.take(iter(log(6, 2)), found) is not None


def test_a_setting_is_what_was_written_or_named():
    stored = (b"queue/q", b"value", setting_checksum("queue/q", b"value"))
    assert unseal_setting(stored, "a file") == SettingRow("queue/q", b"value")
    for odd in ((b"queue/p", *stored[1:]), (stored[0], b"other", stored[2]), (stored[0], None, 0), (None, b"", 0)):
        with pytest.raises(StoreDamaged, match=r"a file: setting .* is not what was written"):
            unseal_setting(odd, "a file")  # type: ignore[arg-type]
