"""Room in the SQLite file that nothing uses: how much there is, and how it is given back to the file system.

Theory of operation. What retention removes leaves pages that are used again by what is written next, and most of them
should be kept for that: taking a page off the end of the file and asking for it again costs twice. So the file begins
to shrink only when a quarter of it is unused, and stops at a tenth; a few pages in one short transaction, so that no
commit waits for long.
"""

from pathlib import Path
from typing import Final

import apsw

from aether.model.frozen import frozen

PAGES_MAX: Final = 64
"""Pages that are given back in one transaction: some milliseconds."""
SMALL_BYTES: Final = 16 * 1024 * 1024
"""Less unused room than this is not worth the work."""
_BEGINS_AT: Final = 0.25
_ENDS_AT: Final = 0.1


@frozen
class Room:
    """Bytes of the file, and how many of them nothing uses."""

    size: int
    unused: int

    @property
    def share(self) -> float:
        return self.unused / self.size if self.size else 0.0


def room(connection: apsw.Connection) -> Room:
    pages, unused, size = (int(connection.pragma(name)) for name in ("page_count", "freelist_count", "page_size"))
    return Room(pages * size, unused * size)


class Shrinker:
    """Gives back what is too much, a little whenever it is asked to."""

    def __init__(self) -> None:
        self._is_at_it = False

    def shrink(self, connection: apsw.Connection) -> bool:
        """One short transaction, or none. True: ask again."""
        before = room(connection)
        bound = _ENDS_AT if self._is_at_it else _BEGINS_AT
        self._is_at_it = before.unused >= SMALL_BYTES and before.share > bound
        if not self._is_at_it:
            return False
        connection.execute(f"PRAGMA incremental_vacuum({PAGES_MAX})").fetchall()
        # Files that were not made by us may not be able to.
        self._is_at_it = room(connection).size < before.size
        return self._is_at_it


def vacuum(connection: apsw.Connection, path: str) -> tuple[int, int]:
    """Write the whole file anew, as small as it can be; its bytes before and after. It needs as much room again."""
    before = room(connection).size
    connection.execute("REINDEX")  # which VACUUM copies as they are, also what is wrong in them
    connection.execute("VACUUM")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return before, Path(path).stat().st_size
