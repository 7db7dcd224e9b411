"""A file of JSON lines that one process at a time may have; a line is on disk when `append` returns."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aether.store.interface import StoreFailed, StoreLocked


class Journal:
    def __init__(self, path: str) -> None:
        self._path = path
        self._file = Path(path).open("a+b")  # noqa: SIM115 - until it is closed
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StoreLocked("it is in use", where=path, advice="stop the other server") from None

    def lines(self) -> Iterator[Any]:
        """Everything that was appended. What has no end was being written when the process died: nobody knows of it."""
        *lines, torn = Path(self._path).read_bytes().split(b"\n")
        yield from map(json.loads, lines)
        self._file.truncate(self._file.seek(0, os.SEEK_END) - len(torn))

    def append(self, line: object) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file)
        except OSError as error:
            raise StoreFailed(str(error), where=self._path, advice="look after the disk, start again") from error

    def close(self) -> None:
        self._file.close()
