"""The stores that come with Aether, put through the suite."""

from pathlib import Path

import pytest

from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import MakeStore, StoreSuite


class TestMemory(StoreSuite):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return MemoryStore


class TestSqlite(StoreSuite):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return lambda: SqliteStore(str(tmp_path / "aether.db"))
