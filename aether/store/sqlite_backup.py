"""A copy of the database as it is at one moment, made while a server goes on writing to it.

Theory of operation. SQLite's backup copies all pages in one step on connections of its own: copying in parts would
begin anew with every commit. The copy is made under another name, checked, flushed, and only then named as asked, so a
file of that name is always a whole one.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

import apsw

from aether.store.format import RESTORE_ADVICE
from aether.store.interface import StoreDamaged, StoreError, StoreFailed, StoreFormat, StoreFull
from aether.store.sqlite_check import check_file
from aether.store.sqlite_errors import translate
from aether.store.sqlite_schema import FORMAT, read_format

EPOCHS_AHEAD: Final = 1_000
"""Restored, a copy must not draw the fencing tokens that the original has drawn since: it counts on from further on."""

_BUSY_MS: Final = 5_000


def back_up(path: str, target: str) -> int:
    """Copy the file and return how many bytes the copy has. Raises StoreError, and then leaves no copy."""
    goal = Path(target)
    part = goal.with_name(goal.name + ".part")
    _refuse_existing(goal)
    _remove(part)  # of a backup that was killed
    try:
        _copy(path, str(part))
        faults = list(check_file(str(part), None))
        if faults:
            raise StoreDamaged(f"the copy is not whole ({faults[0]})", where=path, advice=RESTORE_ADVICE)
        _refuse_existing(goal)
        _name_durably(part, goal)
    finally:
        _remove(part)
    return goal.stat().st_size


def _refuse_existing(goal: Path) -> None:
    if os.path.lexists(goal):
        raise StoreFailed("there is something of that name already", where=str(goal), advice="give another name")


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            part.with_name(part.name + suffix).unlink()


def _copy(path: str, part: str) -> None:
    try:
        source = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise translate(error, path, 0) from error
    with contextlib.closing(source):
        source.set_busy_timeout(_BUSY_MS)
        try:
            if read_format(source, path) != FORMAT:
                raise StoreFormat("it is of an older format", where=path, advice="run `aether db migrate` first")
        except apsw.Error as error:
            raise translate(error, path, source.system_errno) from error
        copy: apsw.Connection | None = None
        try:
            _make_like(path, part)
            copy = apsw.Connection(part)
            with copy.backup("main", source, "main") as backup:
                backup.step(-1)
            copy.execute("UPDATE meta SET v = v + ? WHERE k = 'epoch'", (EPOCHS_AHEAD,))
        except apsw.Error as error:
            raise _blamed(error, path, part, copy) from error
        finally:
            if copy is not None:
                copy.close()


def _make_like(path: str, part: str) -> None:
    """An empty file that those may read who may read the original, before anything is in it."""
    mode = stat.S_IMODE(Path(path).stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR
    with contextlib.suppress(OSError):  # the database engine says why it can not be made
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def _blamed(error: apsw.Error, path: str, part: str, copy: apsw.Connection | None) -> StoreError:
    """A damaged page is the original's, everything else happened to the copy."""
    where = path if isinstance(error, apsw.CorruptError) else part
    fault = translate(error, where, copy.system_errno if copy is not None else 0)
    if isinstance(fault, StoreFull):
        return StoreFailed("there is no room for the copy", where=part, advice="make room, or give another place")
    return fault


def _name_durably(part: Path, goal: Path) -> None:
    try:
        _flush(part)
        part.rename(goal)
        _flush(goal.parent)
    except OSError as error:
        raise StoreFailed(
            f"the copy can not be put there ({error.strerror})", where=str(goal), advice="give another name"
        ) from error


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
