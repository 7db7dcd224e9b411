"""A store of one's own: rows in memory, and a journal on disk that makes them again after a restart."""

import threading
from collections.abc import Sequence

from journal_file import Journal
from journal_rows import LockedReader, batch_from_json, batch_to_json

from aether.store.interface import Batch, Forgotten, Opened, Retention
from aether.store.memory import MemoryStore


class JournalStore(MemoryStore):
    name, is_durable = "journal", True

    def __init__(self, location: str) -> None:
        super().__init__(closed_max=10**9)
        self.location = location.partition("://")[2]
        self.lock = threading.RLock()  # readers are asked by other threads
        self._journal: Journal | None = None

    def open(self) -> Opened:
        self._journal = Journal(self.location)
        for what, told in self._journal.lines():
            if what == "open":
                super().open()
            elif what == "commit":
                super().commit([batch_from_json(parts) for parts in told])
            elif what == "note":
                super().remember(*told)
            else:
                super().forget(Retention(told[0], told[1]), told[2])
        self._journal.append(["open", []])
        return super().open()

    def commit(self, batches: Sequence[Batch]) -> None:
        assert self._journal is not None
        with self.lock:  # nobody reads it before it is on disk
            super().commit(batches)
            self._journal.append(["commit", [batch_to_json(batch) for batch in batches]])

    def remember(self, name: str, value: int) -> None:
        assert self._journal is not None
        with self.lock:
            super().remember(name, value)
            self._journal.append(["note", [name, value]])

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        assert self._journal is not None
        with self.lock:
            if (forgotten := super().forget(keep, rows_max)).counts:
                self._journal.append(["forget", [keep.since, keep.count, rows_max]])
            return forgotten

    def reader(self) -> LockedReader:
        return LockedReader(self)

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
