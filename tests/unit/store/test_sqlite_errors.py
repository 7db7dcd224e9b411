"""Claims about what each of SQLite's errors means for the server."""

import errno

import apsw
import pytest

from aether.store.interface import (
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFormat,
    StoreFull,
)
from aether.store.sqlite_errors import translate


@pytest.mark.parametrize(
    ("code", "system_errno", "kind"),
    [
        (apsw.SQLITE_FULL, 0, StoreFull),
        (apsw.SQLITE_IOERR_WRITE, errno.EFBIG, StoreFull),
        (apsw.SQLITE_IOERR_WRITE, errno.EDQUOT, StoreFull),
        (apsw.SQLITE_IOERR_SHMSIZE, errno.ENOSPC, StoreFull),
        (apsw.SQLITE_IOERR_WRITE, errno.EIO, StoreFailed),
        (apsw.SQLITE_IOERR_WRITE, 0, StoreFailed),
        (apsw.SQLITE_IOERR_FSYNC, errno.EIO, StoreFailed),
        (apsw.SQLITE_IOERR_FSYNC, errno.ENOSPC, StoreFailed),
        (apsw.SQLITE_IOERR_DIR_FSYNC, errno.EDQUOT, StoreFailed),
        (apsw.SQLITE_IOERR_READ, errno.EIO, StoreFailed),
        (apsw.SQLITE_BUSY, 0, StoreBusy),
        (apsw.SQLITE_BUSY_RECOVERY, 0, StoreBusy),
        (apsw.SQLITE_LOCKED, 0, StoreBusy),
        (apsw.SQLITE_CORRUPT, 0, StoreDamaged),
        (apsw.SQLITE_CORRUPT_INDEX, 0, StoreDamaged),
        (apsw.SQLITE_NOTADB, 0, StoreFormat),
        (apsw.SQLITE_CANTOPEN, errno.ENOENT, StoreFailed),
        (apsw.SQLITE_READONLY, 0, StoreFailed),
        (apsw.SQLITE_READONLY_DIRECTORY, 0, StoreFailed),
        (apsw.SQLITE_PERM, 0, StoreFailed),
        (apsw.SQLITE_CONSTRAINT_UNIQUE, 0, StoreConflict),
        (apsw.SQLITE_NOMEM, 0, StoreFailed),
        (apsw.SQLITE_INTERNAL, 0, StoreFailed),
    ],
)
def test_every_error_has_one_meaning(code: int, system_errno: int, kind: type[StoreError]):
    error = apsw.exception_for(code)
    assert isinstance(error, apsw.Error)
    translated = translate(error, "/data/a.db", system_errno)
    assert type(translated) is kind
    assert str(translated).startswith("/data/a.db: ")


def test_a_text_that_is_none_is_damage():
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert isinstance(translate(caught.value, "f", 0), StoreDamaged)


def test_an_unforeseen_error_is_named_as_sqlite_names_it():
    error = apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
    assert isinstance(error, apsw.Error)
    assert "SQLITE_IOERR_FSYNC" in str(translate(error, "f", 0))
    assert "(Error: made up)" in str(translate(apsw.Error("made up"), "f", 0))
