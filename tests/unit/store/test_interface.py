"""Claims about what a store's errors tell."""

import pytest

from aether.errors import AetherError
from aether.store import interface
from aether.store.interface import Batch, RunRow, StoreBusy, StoreDamaged, StoreError, StoreFailed, StoreFull


def test_an_error_says_what_which_file_and_what_to_do():
    error = StoreFailed("it broke", where="/data/a.db", advice="mend it")
    assert str(error) == "/data/a.db: it broke; mend it"
    assert (error.what, error.where, error.advice) == ("it broke", "/data/a.db", "mend it")
    assert isinstance(error, AetherError)


def test_only_a_full_or_busy_store_may_be_tried_again():
    kinds = [kind for kind in vars(interface).values() if isinstance(kind, type) and issubclass(kind, StoreError)]
    assert {kind for kind in kinds if kind.is_retryable} == {StoreFull, StoreBusy}


def test_damage_says_which_event_when_it_is_known():
    error = StoreDamaged("bits", where="f", advice="restore", run_key=1, seq=2)
    assert (error.run_key, error.seq) == (1, 2)
    error = StoreDamaged("bits", where="f", advice="restore")
    assert (error.run_key, error.seq) == (None, None)


def test_rows_cannot_be_changed_and_carry_no_dictionary():
    row = RunRow(1, "w", "r", "t", "q", 0, None, 0, None)
    with pytest.raises(AttributeError):
        row.state = 1  # type: ignore[misc]
    assert not hasattr(row, "__dict__")


def test_batches_share_nothing():
    assert Batch().runs is not Batch().runs
