"""A real `aether serve` on a disk that fails for as long as the file that DISK_FAULT names is there.

The file says how: "write FULL" or "flush IOERR_FSYNC", say; the words are those of SQLite's codes.
"""

import errno
import os
from pathlib import Path

import apsw

from aether.cli.main import main
from aether.server import serve
from aether.store.sqlite import SqliteStore
from tests.unit.store.faulty_disk import FaultyDisk

DISK = FaultyDisk()


def judge(operation: str, path: str) -> int | None:
    try:
        failing, code = Path(os.environ["DISK_FAULT"]).read_text().split()
    except FileNotFoundError:
        return None
    DISK.errno = errno.ENOSPC if code == "FULL" else errno.EIO
    number: int = getattr(apsw, f"SQLITE_{code}")
    return number if operation == failing else None


DISK.judge = judge
DISK.judges_reads = True
vars(serve)["open_store"] = lambda location: SqliteStore(location, vfs=DISK.vfs_name)

if __name__ == "__main__":
    main()
