"""What an error of SQLite means for the server: try again, stop, or restore.

The line between StoreFull and StoreFailed matters most. A write that found no room left nothing behind and
may be repeated. A flush that failed left the system's cache in a state nobody knows, whatever errno it gave,
so it is never repeated.
"""

import errno
from typing import Final

import apsw

from aether.store.format import RESTORE_ADVICE
from aether.store.interface import (
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFormat,
    StoreFull,
)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WRITES: Final = frozenset({apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMOPEN})


def translate(error: apsw.Error | UnicodeDecodeError, path: str, system_errno: int) -> StoreError:
    """Return our error for one of SQLite's; `system_errno` is what the connection saw last."""
    if isinstance(error, UnicodeDecodeError):
        return StoreDamaged("a text in it is not UTF-8", where=path, advice=RESTORE_ADVICE)
    code = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.FullError) or (code in _WRITES and system_errno in _NO_ROOM):
        return StoreFull(
            "no room to write",
            where=path,
            advice="free space on that file system; the write will be repeated",
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreBusy(
            "another process is writing to it",
            where=path,
            advice="end the program that has it open; will try again",
        )
    if isinstance(error, apsw.CorruptError):
        return StoreDamaged(f"the file is damaged ({error})", where=path, advice=RESTORE_ADVICE)
    if isinstance(error, apsw.NotADBError):
        return StoreFormat("this is not a database", where=path, advice="give another path, or restore a backup")
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StoreFailed(
            f"it cannot be opened for writing ({error})",
            where=path,
            advice="let this user write to the file and to its directory",
        )
    if isinstance(error, apsw.ConstraintError):
        return StoreConflict(
            f"a commit contradicts what is stored ({error})",
            where=path,
            advice="this is a bug in Aether or a second writer, please report it",
        )
    name = apsw.mapping_extended_result_codes.get(code, type(error).__name__)
    return StoreFailed(
        f"the disk failed ({name}: {error})",
        where=path,
        advice="look into the system's log, check the disk, then start the server again",
    )
