"""What the doctor finds where a whole machine would have to be ill."""

import shutil
from pathlib import Path

import pytest

from aether.cli import doctor
from aether.cli.doctor import (
    check_clock,
    check_database,
    check_host,
    check_python,
    check_sqlite,
    lock_holder,
)
from aether.cli.findings import Level
from aether.server.settings import Persistence, Settings
from aether.store.interface import Batch
from aether.store.sqlite import SqliteStore

NOW = 1_800_000_000_000_000


@pytest.fixture
def settings(tmp_path):
    return Settings(db_path=tmp_path / "data" / "aether.db")


def found(settings):
    return [(each.level, each.subject, each.text) for each in check_database(settings)]


def test_an_sqlite_that_can_corrupt_files_is_refused():
    assert check_sqlite("3.51.3").level is Level.OK
    finding = check_sqlite("3.40.1")
    assert finding.level is Level.FAIL
    assert "apsw" in finding.advice


def test_an_interpreter_that_was_built_without_optimisation_is_told():
    assert check_python("'--enable-shared' '--enable-optimizations'").level is Level.OK
    assert check_python(None).level is Level.OK
    finding = check_python("'--prefix=/opt'")
    assert finding.level is Level.WARN
    assert "1.4 times" in finding.text


@pytest.mark.parametrize(
    ("now", "last_written", "level"),
    [
        (NOW, 0, Level.OK),
        (NOW, NOW + 1_000_000, Level.OK),
        (NOW, NOW + 60_000_000, Level.WARN),
        (0, 0, Level.FAIL),
    ],
)
def test_a_clock_that_runs_behind_its_own_writes_is_told(now, last_written, level):
    assert check_clock(now, last_written).level is level


def test_a_database_that_is_not_there_yet_is_well(settings):
    ((level, _, text),) = found(settings)
    assert level is Level.OK
    assert "not there yet" in text


def test_without_a_database_there_is_nothing_to_check():
    ((level, _, text),) = found(Settings(persistence=Persistence.MEMORY))
    assert level is Level.OK
    assert "everything is gone when the server ends" in text


def test_a_folder_that_is_closed_to_the_user_is_told_before_a_server_fails(settings, monkeypatch):
    monkeypatch.setattr("aether.cli.doctor.os.access", lambda path, mode: False)  # root may write everywhere
    ((level, _, text),) = found(settings)
    assert level is Level.FAIL
    assert "is closed to this user" in text


@pytest.mark.parametrize(("mib", "level"), [(500, Level.WARN), (5, Level.FAIL)])
def test_a_disk_that_is_nearly_full_is_told(settings, monkeypatch, mib, level):
    store = SqliteStore(str(settings.db_path))
    store.open()
    store.close()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100 << 30, 99 << 30, mib << 20))
    first, second = found(settings)
    assert first == (level, "disk", f"{mib} MiB left beside {settings.db_path}")
    assert second[0] is Level.OK


def test_a_database_in_use_names_its_owner_and_is_not_disturbed(settings):
    store = SqliteStore(str(settings.db_path))
    store.open()
    try:
        ((level, _, text),) = found(settings)
        assert level is Level.OK
        assert "in use by pid" in text
        store.commit([Batch()])
    finally:
        store.close()
    assert not lock_holder(settings.db_path)
    ((_, _, text),) = found(settings)
    assert "not in use" in text


def test_a_large_database_is_not_read_whole(settings, monkeypatch):
    store = SqliteStore(str(settings.db_path))
    store.open()
    store.close()
    monkeypatch.setattr(doctor, "_READ_BYTES_MAX", 1)
    (finding,) = check_database(settings)
    assert (finding.level, finding.text) == (Level.OK, f"{settings.db_path}: 0 MiB, not in use")
    assert "aether db check" in finding.advice


def test_a_folder_in_the_place_of_the_database_is_told(settings):
    settings.db_path.mkdir(parents=True)
    ((level, _, text),) = found(settings)
    assert level is Level.FAIL
    assert str(settings.db_path) in text
    assert not lock_holder(Path("/nowhere/at/all.db"))


def test_a_host_that_nobody_knows_is_no_place_to_listen():
    assert list(check_host("127.0.0.1")) == []
    (finding,) = check_host("no such host")
    assert finding.level is Level.FAIL
    assert "'no such host' is the name of no machine" in finding.text
