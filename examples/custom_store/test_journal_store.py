"""The suite that every store has to pass: pytest test_journal_store.py."""

from pathlib import Path

import pytest
from journal_store import JournalStore

from aether.testing.store_suite import MakeStore, StoreSuite


class TestJournalStore(StoreSuite):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return lambda: JournalStore(f"custom+journal://{tmp_path / 'journal'}")
