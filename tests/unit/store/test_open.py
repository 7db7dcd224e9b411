"""Claims about what a location means."""

from pathlib import Path

import pytest

from aether.store.interface import StoreFailed
from aether.store.memory import MemoryStore
from aether.store.open import open_store


def test_memory_is_memory():
    assert isinstance(open_store("memory"), MemoryStore)


@pytest.mark.parametrize("form", ["data/a.db", "./data/a.db", "sqlite:///data/a.db"])
def test_a_path_is_a_file_in_the_working_directory(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = open_store(form)
    assert store.name == "sqlite"
    assert store.location == str(tmp_path / "data/a.db")
    assert list(tmp_path.iterdir()) == []


def test_four_slashes_are_the_root():
    assert open_store("sqlite:////srv/aether.db").location == "/srv/aether.db"


@pytest.mark.parametrize("form", ["", ":memory:", "sqlite://", "sqlite:///", "sqlite://host/a.db"])
def test_what_names_no_store_is_refused_with_advice(form: str):
    with pytest.raises(StoreFailed, match="use memory, a path, sqlite:///path"):
        open_store(form)


def test_a_password_in_a_location_is_not_repeated():
    with pytest.raises(StoreFailed, match="postgresql://: there is no store") as caught:
        open_store("postgresql://me:secret@host/db")
    assert "secret" not in str(caught.value)
