"""A disk that fails on command: a file layer of SQLite's that passes everything on until told."""

import errno
from collections.abc import Callable
from itertools import count
from typing import Final

import apsw

NO_SPACE: Final = apsw.SQLITE_FULL
FLUSH_FAILED: Final = apsw.SQLITE_IOERR_FSYNC
WRITE_FAILED: Final = apsw.SQLITE_IOERR_WRITE

_numbers = count(1)


class FaultyDisk(apsw.VFS):
    """`judge(operation, path)` gives the SQLite code to fail with; operations are "write", "flush" and "read"."""

    def __init__(self) -> None:
        self.vfs_name = f"faulty-{next(_numbers)}"
        self.judge: Callable[[str, str], int | None] = lambda operation, path: None
        self.calls: list[tuple[str, str]] = []
        self.failures = 0
        # Those of connections that only read.
        self.judges_reads = False
        self.errno = errno.EIO
        super().__init__(self.vfs_name, "")

    def fail_nth(self, nth: int, code: int, operation: str | None = None) -> None:
        """Fail the nth call from now on, once."""
        numbers = count(1)

        def judge(called: str, path: str) -> int | None:
            if operation in {None, called} and next(numbers) == nth:
                return code
            return None

        self.judge = judge

    def fail_always(self, operation: str, code: int, *, only: str = "") -> None:
        """Fail every such call from now on whose path ends with `only`."""
        self.judge = lambda called, path: code if called == operation and path.endswith(only) else None

    def heal(self) -> None:
        self.judge = lambda operation, path: None

    def refuse(self, operation: str, path: str) -> None:
        self.calls.append((operation, path))
        code = self.judge(operation, path)
        if code is not None:
            self.failures += 1
            raise apsw.exception_for(code)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_FaultyFile":
        return _FaultyFile(self, name, flags)

    def xGetLastError(self) -> tuple[int, str]:
        return self.errno, "injected"


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._is_readers = bool(flags[0] & apsw.SQLITE_OPEN_READONLY)
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        if self._is_readers and self._disk.judges_reads:
            self._disk.refuse("read", self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.refuse("write", self._path)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.refuse("flush", self._path)
        super().xSync(flags)
