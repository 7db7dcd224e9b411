"""What the doctor finds of a machine."""

import os
import socket

import pytest

from aether.cli import checkup
from aether.cli.checkup import (
    check_file_system,
    check_machine,
    check_open_files,
    check_ports,
    check_sync,
    check_terminal,
)
from aether.cli.findings import Level
from aether.server.settings import Settings


def test_a_disk_is_asked_how_long_it_takes_to_keep_a_page(tmp_path, monkeypatch):
    found = check_sync(tmp_path)
    assert (found.subject, "a sync in" in found.text) == ("disk", True)
    monkeypatch.setattr(checkup, "_SLOW_SYNC_S", -1)
    assert check_sync(tmp_path).level is Level.WARN
    assert check_sync(tmp_path / "missing").level is Level.FAIL
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "words"), [("ext4", None), ("nfs4", "is on another machine (nfs4)"), ("tmpfs", "is in memory (tmpfs)")]
)
def test_a_file_system_that_keeps_nothing_is_told(tmp_path, kind, words):
    mounts = [("/", "overlay"), (str(tmp_path), kind), (f"{tmp_path}/below", "nfs")]
    found = list(check_file_system(tmp_path, mounts))
    assert [each.level for each in found] == ([Level.WARN] if words else [])
    assert all(str(words) in each.text for each in found)
    assert list(check_file_system(tmp_path, [])) == []


def test_few_open_files_are_told():
    assert check_open_files(256).level is Level.WARN
    assert check_open_files(-1).text == "open files without limit"
    assert check_open_files(4096).level is Level.OK


@pytest.mark.parametrize(
    ("encoding", "columns", "kind", "level"),
    [
        ("UTF-8", 80, "xterm", Level.OK),
        ("ascii", 80, "xterm", Level.WARN),
        ("utf-8", 59, "xterm", Level.WARN),
        ("utf-8", 80, "dumb", Level.WARN),
    ],
)
def test_a_terminal_that_shows_less_is_told(encoding, columns, kind, level):
    assert check_terminal(encoding, columns, kind).level is level


def test_a_port_that_another_program_has_is_told_with_the_option_that_names_another():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(grpc_port=0, http_port=port, metrics_enabled=False)
        (found,) = check_ports(settings)
        assert (found.level, found.advice) == (Level.WARN, "end it, or name others: --http-port")
        (found,) = check_ports(Settings(grpc_port=0, http_port=port, given={"http_port": "aether.toml:3"}))
        assert found.level is Level.FAIL
    (found,) = check_ports(settings)
    assert found.level is Level.OK


def test_a_machine_without_a_database_is_asked_for_its_limits_alone(tmp_path, monkeypatch):
    assert [each.subject for each in check_machine(None)] == ["limits"]
    assert "disk" in {each.subject for each in check_machine(tmp_path)}
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert [each.subject for each in check_machine(tmp_path)] == ["limits"]
