"""Real limits of real file systems, and other processes at the same file."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aether.store.interface import Batch, StoreFull, StoreLocked
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, log_of, run_row


def fill(store: SqliteStore, limit: int = 1000) -> int:
    """Commit events of 20 kB until there is no room; the seq that did not fit."""
    for seq in range(2, limit):
        try:
            store.commit([Batch(events=[event_row(1, seq, bytes(20_000))])])
            store.tidy()
        except StoreFull:
            return seq
    raise AssertionError("the disk never got full")


def check_recovery(store: SqliteStore, seq: int, make_room: object) -> None:
    """What did not fit is not there, can be read around, and fits as soon as there is room."""
    reader = store.reader()
    assert len(reader.events(1, 0, 10_000)) == seq - 1
    with pytest.raises(StoreFull, match=r"a\.db: no room to write; free space"):
        store.commit([Batch(events=[event_row(1, seq, bytes(20_000))])])
    assert callable(make_room)
    make_room()
    store.commit([Batch(events=[event_row(1, seq, bytes(20_000))])])
    assert len(reader.events(1, 0, 10_000)) == seq
    reader.close()
    store.close()
    assert list(store.check()) == []


def test_a_limit_on_file_size_is_a_full_disk(tmp_path: Path):
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    store.commit([Batch(runs=[run_row(1)], events=[event_row(1, 1)])])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        seq = fill(store)
        check_recovery(store, seq, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs more rights")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_file_system_loses_nothing_and_works_again_with_room(small_disk: Path):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    store = SqliteStore(str(small_disk / "a.db"))
    store.open()
    store.commit([Batch(runs=[run_row(1)], events=[event_row(1, 1)])])
    check_recovery(store, fill(store), ballast.unlink)


def test_a_full_file_system_is_named_when_a_file_is_to_be_made(small_disk: Path):
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(3_000_000))
    store = SqliteStore(str(small_disk / "a.db"))
    with pytest.raises(StoreFull, match="no room to write"):
        store.open()
    ballast.unlink()
    assert store.open().created
    store.close()


OPEN_AND_SAY = """
import os
import sys
from aether.store.interface import StoreError
from aether.store.sqlite import SqliteStore
if os.geteuid() == 0:
    os.setuid(65534)  # nobody: file modes do not bind root
try:
    SqliteStore(sys.argv[1]).open()
except StoreError as error:
    print(f"{type(error).__name__} {error}")
"""


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that another user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
        Path(name).chmod(0o777)


def open_unprivileged(path: Path) -> str:
    said = subprocess.run([sys.executable, "-c", OPEN_AND_SAY, str(path)], check=True, capture_output=True, text=True)
    return said.stdout


def test_a_read_only_file_is_refused_with_advice(public_directory: Path):
    path = public_directory / "a.db"
    store = SqliteStore(str(path))
    store.open()
    store.close()
    path.chmod(0o444)
    Path(f"{path}.lock").chmod(0o666)
    assert open_unprivileged(path) == (
        f"StoreFailed {path}: the file is read-only; let this user write to it, or give another path\n"
    )


def test_a_read_only_directory_is_refused_with_advice(public_directory: Path):
    public_directory.chmod(0o555)
    path = public_directory / "a.db"
    assert open_unprivileged(path) == (
        f"StoreFailed {path}.lock: it cannot be created (Permission denied);"
        " let this user write to the directory, or give another path\n"
    )
    said = open_unprivileged(public_directory / "deeper" / "a.db")
    assert "its directory cannot be created (Permission denied" in said


def test_a_read_only_directory_with_a_database_in_it_is_refused_with_advice(public_directory: Path):
    path = public_directory / "a.db"
    store = SqliteStore(str(path))
    store.open()
    store.close()
    path.chmod(0o666)
    Path(f"{path}.lock").chmod(0o666)
    public_directory.chmod(0o555)
    said = open_unprivileged(path)
    assert said.startswith(f"StoreFailed {path}: it cannot be opened for writing")
    assert said.endswith("let this user write to the file and to its directory\n")


HOLD = """
import sys
from aether.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
print("open", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_told_who_owns_the_file_and_gets_it_once_that_one_is_killed(tmp_path: Path):
    path = str(tmp_path / "a.db")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        store = SqliteStore(path)
        with pytest.raises(StoreLocked, match=rf"in use by pid {holder.pid}, started 20"):
            store.open()
        assert list(store.check()) == []
        holder.kill()
    assert store.open().epoch == 2
    store.commit([Batch(runs=[run_row(1)], events=log_of(1, 3))])
    store.close()
