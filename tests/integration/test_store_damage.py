"""Files are cut and bits are flipped: what is left is whole, or the damage is named; it is never returned as data."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from aether.store.interface import Batch, EventRow, StoreDamaged, StoreError
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import run_row

COMMITS = 20
PER_COMMIT = 3


def body(seq: int) -> bytes:
    return random.Random(seq).randbytes(700)


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A database as a power cut leaves it: COMMITS commits of three events, most of them in the log only."""
    store = SqliteStore(str(tmp_path / "live" / "a.db"))
    store.open()
    store.commit([Batch(runs=[run_row(1)])])
    for number in range(COMMITS):
        seqs = range(PER_COMMIT * number + 1, PER_COMMIT * (number + 1) + 1)
        store.commit([Batch(events=[EventRow(1, seq, seq, 0, body(seq))]) for seq in seqs])
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    # By another process: to close a descriptor of the file here would take SQLite's locks away.
    subprocess.run(["cp", store.location, f"{store.location}-wal", str(crashed)], check=True)
    store.close()
    return crashed


def copy_of(crashed: Path, name: object) -> Path:
    directory = crashed.parent / f"try-{name}"
    shutil.copytree(crashed, directory)
    return directory / "a.db"


def whole_commits(path: Path) -> int:
    """Open as after a restart; check all that is there; give the number of commits found."""
    store = SqliteStore(str(path))
    opened = store.open()
    try:
        assert opened.damage == ()
        reader = store.reader()
        events = reader.events(1, 0, 1000)
        reader.close()
        assert [event.body for event in events] == [body(event.seq) for event in events]
        assert len(events) % PER_COMMIT == 0
        return len(events) // PER_COMMIT
    finally:
        store.close()


def test_a_log_cut_at_any_byte_leaves_whole_commits_and_the_longer_the_more(crashed: Path):
    size = (crashed / "a.db-wal").stat().st_size
    draw = random.Random(1)
    cuts = sorted({0, 1, 31, 32, size - 1, size, *(draw.randrange(size) for _ in range(40))})
    found = []
    for cut in cuts:
        path = copy_of(crashed, cut)
        with Path(f"{path}-wal").open("r+b") as file:
            file.truncate(cut)
        found.append(whole_commits(path))
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] == COMMITS
    assert len(set(found)) > 5


def test_a_bit_flipped_in_the_log_ends_it_there_and_alters_nothing(crashed: Path):
    size = (crashed / "a.db-wal").stat().st_size
    draw = random.Random(2)
    for number in range(40):
        path = copy_of(crashed, number)
        flip(Path(f"{path}-wal"), draw.randrange(size), 1 << draw.randrange(8))
        assert 0 <= whole_commits(path) <= COMMITS


def test_a_bit_flipped_anywhere_in_the_file_is_named_or_harmless_but_never_data(crashed: Path):
    whole = crashed / "a.db"
    assert whole_commits(whole) == COMMITS
    size = whole.stat().st_size
    draw = random.Random(3)
    named = 0
    for number in range(150):
        path = crashed.parent / f"flip-{number}.db"
        shutil.copy(whole, path)
        flip(path, draw.randrange(size), 1 << draw.randrange(8))
        store = SqliteStore(str(path))
        try:
            store.open()
            reader = store.reader()
            events = reader.events(1, 0, 1000)
            assert [event.body for event in events] == [body(event.seq) for event in events]
            assert events == list(reader.open_events()) or reader.run_by_key(1) is None
        except StoreError:
            named += 1
        finally:
            store.close()
    assert named > 50


def test_a_bit_flipped_in_a_body_is_named_by_run_and_event_and_found_at_the_start(crashed: Path):
    assert whole_commits(crashed / "a.db") == COMMITS
    path = crashed / "a.db"
    flip(path, path.read_bytes().index(body(17)) + 300, 4)
    store = SqliteStore(str(path))
    opened = store.open()
    assert [(damage.run_key, damage.seq) for damage in opened.damage] == [(1, 17)]
    reader = store.reader()
    with pytest.raises(StoreDamaged, match="event 17 of run 1 is not what was written") as caught:
        reader.events(1, 0, 1000)
    assert (caught.value.run_key, caught.value.seq) == (1, 17)
    assert len(reader.events(1, 0, 16)) == 16
    assert list(store.check()) == ["event 17 of run 1 is not what was written (checksum)"]
    reader.close()
    store.close()


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ bit]))
