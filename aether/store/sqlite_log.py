"""The write-ahead log as a file: when it is copied back into the database, and room for it ahead.

Theory of operation. SQLite writes its log from the start again once all of it has been copied back, and a flush of what
is written over takes half the time of a flush of a file that grows, for which the file system has to note where it
grew. So a log that is in use gets its full length before it is needed, in zeros, a part behind each commit, which the
next commit flushes with its own. To SQLite what lies behind the newest commit is not there. Whoever writes little never
pays for it.
"""

import os
from typing import Final

import apsw

CHECKPOINT_PAGES: Final = 4_000
"""Pages in the log, 4 KiB each, from which it is copied back."""
FILL_FROM_PAGES: Final = 256
"""Pages in the log from which it is made longer."""
_HEADER_BYTES: Final = 32
_PAGE_BYTES: Final = 24 + 4096  # with the head of its own that a page has in the log (the SQLite file format, 4.1)
FULL_BYTES: Final = _HEADER_BYTES + (CHECKPOINT_PAGES + 128) * _PAGE_BYTES
_ROOM_FACTOR: Final = 16
"""How much more than that must be free: where room is scarce it is kept for what is to be stored."""
_PART: Final = bytes(256 * 1024)


class WriteAheadLog:
    def __init__(self, path: str) -> None:
        self.path = path
        self._pages = 0
        self._copied_pages = 0
        self._is_full_length = False

    def count(self, connection: apsw.Connection, database: str, pages: int) -> int:
        """SQLite says after each commit how long the log is."""
        self._pages = pages
        if pages < self._copied_pages:
            self._copied_pages = 0  # it was used from its start again
        return apsw.SQLITE_OK

    def tidy(self, connection: apsw.Connection) -> None:
        """What can be done between two commits. Raises apsw.Error when the copying fails."""
        if not self._is_full_length and self._pages >= FILL_FROM_PAGES:
            try:
                self._is_full_length = _lengthen(self.path)
            except OSError:
                # Without it everything works too.
                self._is_full_length = True
        if self._pages - self._copied_pages >= CHECKPOINT_PAGES:
            self._copied_pages = self._pages
            # Passive: a reader in the middle of a query delays the copying, never the writer.
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _lengthen(path: str) -> bool:
    """Zeros behind the end of the log. True: that was the last part, or there is no room to spare."""
    log = os.open(path, os.O_WRONLY)
    try:
        end, room = os.fstat(log).st_size, os.fstatvfs(log)
        if end >= FULL_BYTES or room.f_bavail * room.f_frsize < FULL_BYTES * _ROOM_FACTOR:
            return True
        try:
            os.pwrite(log, _PART[: FULL_BYTES - end], end)
        except OSError:
            os.ftruncate(log, end)
            raise
        return False
    finally:
        os.close(log)
