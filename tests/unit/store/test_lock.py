"""Claims about the lock that lets one server own a file."""

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from aether.store.interface import StoreFailed, StoreLocked
from aether.store.lock import FileLock


def test_the_second_is_told_who_was_first_and_since_when(tmp_path: Path):
    path = str(tmp_path / "a.lock")
    lock = FileLock(path)
    with pytest.raises(StoreLocked, match=rf"in use by pid {os.getpid()}, started 20\d\d-.*stop that server"):
        FileLock(path)
    lock.release()


def test_it_can_be_taken_again_after_release_and_keeps_its_file(tmp_path: Path):
    path = tmp_path / "a.lock"
    path.write_text("an old and much longer text than the one that follows " * 5)
    for _ in range(2):
        FileLock(str(path)).release()
    assert re.fullmatch(rf"pid {os.getpid()}, started \S+\n", path.read_text())


def test_a_holder_who_did_not_sign_is_still_a_holder(tmp_path: Path):
    path = tmp_path / "a.lock"
    lock = FileLock(str(path))
    path.write_text("")
    with pytest.raises(StoreLocked, match="in use by another process"):
        FileLock(str(path))
    lock.release()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(StoreFailed, match=r"nowhere/a\.lock: it cannot be created \(No such file"):
        FileLock(str(tmp_path / "nowhere" / "a.lock"))


def remove_before(flock: Callable[[int, int], None], path: Path, times: int) -> Callable[[int, int], None]:
    """Stand in for a program that removes the lock file between our opening and our locking of it."""

    def locking(file: int, how: int) -> None:
        nonlocal times
        if times:
            times -= 1
            path.unlink()
        flock(file, how)

    return locking


def test_a_lock_whose_file_was_removed_meanwhile_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.lock"
    monkeypatch.setattr(fcntl, "flock", remove_before(fcntl.flock, path, 3))
    lock = FileLock(str(path))
    with pytest.raises(StoreLocked):
        FileLock(str(path))
    lock.release()


def test_a_file_that_is_removed_for_ever_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.lock"
    monkeypatch.setattr(fcntl, "flock", remove_before(fcntl.flock, path, 1000))
    with pytest.raises(StoreFailed, match="removed again and again"):
        FileLock(str(path))


@pytest.mark.parametrize("was_there", [True, False])
def test_a_lock_that_was_taken_in_vain_leaves_no_file_where_there_was_none(tmp_path: Path, was_there: bool):
    path = tmp_path / "a.lock"
    if was_there:
        path.touch()
    lock = FileLock(str(path))
    lock.discard()
    assert path.exists() == was_there
    FileLock(str(path)).release()


def test_a_lock_whose_file_is_somebody_elses_by_now_is_let_go_and_that_file_stays(tmp_path: Path):
    path = tmp_path / "a.lock"
    lock = FileLock(str(path))
    path.unlink()
    other = FileLock(str(path))
    lock.discard()
    with pytest.raises(StoreLocked):
        FileLock(str(path))
    other.release()
