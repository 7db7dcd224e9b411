"""One server per file: a lock file beside it that the system lets go of however the process ends.

It says who holds it, for people. It stays: to unlink it would let two servers hold two locks of one name, unless its
holder does it and whoever takes it looks whether it is still there, which both do. So it is removed where it was made
in vain, beside what turned out not to be a database of ours.
"""

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aether.store.interface import StoreFailed, StoreLocked

_ATTEMPTS: Final = 10


class FileLock:
    """A lock that is held from construction to `release`."""

    def __init__(self, path: str) -> None:
        """Take the lock or raise StoreLocked, naming the process that holds it."""
        self._path = path
        is_new = not Path(path).exists()
        for _ in range(_ATTEMPTS):
            self._file = self._take()
            if _is_at(self._file, path):
                self._is_new = is_new
                return
            os.close(self._file)  # somebody removed the file in between: what we hold guards nothing
        raise StoreFailed("it is being removed again and again", where=path, advice="find out which program does that")

    def release(self) -> None:
        os.close(self._file)

    def discard(self) -> None:
        """Release it, and leave no file where there was none."""
        if self._is_new and _is_at(self._file, self._path):
            Path(self._path).unlink()
        self.release()

    def _take(self) -> int:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreFailed(
                f"it cannot be created ({error.strerror})",
                where=self._path,
                advice="let this user write to the directory, or give another path",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(file)
            raise StoreLocked(
                f"the database is in use by {holder}",
                where=self._path,
                advice="stop that server or give another path",
            ) from error
        self._sign(file)
        return file

    def _sign(self, file: int) -> None:
        os.ftruncate(file, 0)
        os.utime(file)  # the file system's clock is the one we need no permission to look at
        started = datetime.fromtimestamp(int(os.fstat(file).st_mtime), UTC).isoformat()
        with contextlib.suppress(OSError):  # on a full disk the lock holds, it only cannot say for whom
            os.pwrite(file, f"pid {os.getpid()}, started {started}\n".encode(), 0)


def _is_at(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), Path(path).stat())
    except FileNotFoundError:
        return False
