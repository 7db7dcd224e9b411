"""The example of a store of one's own: it passes the suite, is found by its name, and keeps what was acknowledged."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_store import JournalStore

from aether.store.interface import Batch, StoreFailed, StoreLocked
from aether.store.open import open_store
from aether.testing.store_suite import MakeStore, StoreSuite, log_of, run_row
from tests.integration.test_cli_runs import start
from tests.processes import ROOT, Server, aether

EXAMPLE = ROOT / "examples" / "custom_store"


class TestExample(StoreSuite):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return lambda: JournalStore(f"custom+journal://{tmp_path / 'journal'}")


def test_a_torn_line_is_what_nobody_was_told_of(tmp_path: Path):
    path = tmp_path / "journal"
    store = JournalStore(f"custom+journal://{path}")
    store.open()
    store.commit([Batch(runs=[run_row(1)], events=log_of(1, 3))])
    size = path.stat().st_size
    store.commit([Batch(runs=[run_row(2)], events=log_of(2, 3))])
    store.close()
    for cut in (1, 20, path.stat().st_size - size):
        content = path.read_bytes()
        path.write_bytes(content[: max(size, len(content) - cut)])
        again = JournalStore(f"custom+journal://{path}")
        again.open()
        assert list(again.reader().open_runs()) == [run_row(1)]
        again.close()
        size = path.stat().st_size


def test_one_server_at_a_time_has_it(tmp_path: Path):
    store = JournalStore(f"custom+journal://{tmp_path / 'journal'}")
    store.open()
    with pytest.raises(StoreLocked):
        JournalStore(f"custom+journal://{tmp_path / 'journal'}").open()
    store.close()


def install(folder: Path, points: str) -> str:
    """What an installer leaves of a package with such entry points; the path on which it is found."""
    info = folder / "journal_store-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: journal-store\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(f"[aether.stores]\n{points}\n")
    return f"{ROOT}:{folder}:{EXAMPLE}"


def test_a_server_finds_the_store_by_its_name_and_loses_nothing_when_it_is_killed(tmp_path: Path):
    path = install(tmp_path / "site", "journal = journal_store:JournalStore")
    url = f"custom+journal://{tmp_path / 'runs.journal'}"
    with Server(tmp_path, "--db", url, PYTHONPATH=path) as server:
        for number in range(5):
            start(server, f"order-{number}")
        server.tell(signal.SIGKILL)
        server.process.wait(20)
    with Server(tmp_path, "--db", url, PYTHONPATH=path) as server:
        listed = aether("workflow", "list", "-o", "json", AETHER_SERVER=server.url)
        assert [run["workflow_id"] for run in json.loads(listed.stdout)] == [f"order-{n}" for n in (4, 3, 2, 1, 0)]
        server.tell(signal.SIGTERM)
        assert server.finish()[0] == 0
    checked = aether("db", "check", "--db", url, "-o", "json", PYTHONPATH=path)
    report = json.loads(checked.stdout)
    assert (report["runs"], report["events"], report["faults"]) == (5, 5, [])
    migrated = aether("db", "migrate", "--db", url, PYTHONPATH=path)
    assert migrated.stdout.endswith("done\tnothing to do\n")
    counted = json.loads(aether("db", "stats", "--db", url, "-o", "json", PYTHONPATH=path).stdout)
    assert (counted["runs"], counted["pending"], counted["newest_event"]) == (5, 5, 5)
    for command in (["backup", "copy"], ["vacuum"]):
        refused = aether("db", *command, "--db", url, cwd=tmp_path, PYTHONPATH=path)
        assert refused.returncode == 1
        assert "a store of kind journal" in refused.stderr
        assert "use the means of what it keeps its rows in" in refused.stderr


def test_a_store_that_one_process_reads_is_not_checked_beside_its_server_and_says_why(tmp_path: Path):
    path = install(tmp_path / "site", "journal = journal_store:JournalStore")
    url = f"custom+journal://{tmp_path / 'runs.journal'}"
    with Server(tmp_path, "--db", url, PYTHONPATH=path) as server:
        start(server, "order-1")
        for command in (["check"], ["stats"]):
            refused = aether("db", *command, "--db", url, PYTHONPATH=path)
            assert refused.returncode == 1
            assert "a store of kind journal is read by one process at a time; stop the server first" in refused.stderr


class Generous(JournalStore):
    """Offers all that may be offered besides."""

    def check(self) -> Iterator[str]:
        yield "run 1 smells"

    def back_up(self, target: str) -> int:
        return Path(target).write_bytes(Path(self.location).read_bytes())


def test_a_store_that_can_check_and_copy_itself_is_asked_to(tmp_path: Path):
    path = install(tmp_path / "site", "generous = tests.conformance.test_custom_store:Generous")
    url = f"custom+generous://{tmp_path / 'runs.journal'}"
    with Server(tmp_path, "--db", url, PYTHONPATH=path) as server:
        run_id = start(server, "order-1")
        copied = json.loads(
            aether("db", "backup", str(tmp_path / "copy"), "--db", url, "-o", "json", PYTHONPATH=path).stdout
        )
        assert copied["bytes"] == (tmp_path / "copy").stat().st_size > 0
        server.tell(signal.SIGTERM)
        assert server.finish()[0] == 0
    checked = aether("db", "check", "--db", url, PYTHONPATH=path)
    assert checked.returncode == 1
    assert f"fault\tworkflow 'order-1', run {run_id} smells\n" in checked.stdout


def test_a_store_that_is_not_there_or_can_not_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    install(
        tmp_path,
        "broken = no_such_module:Store\nangry = json:loads\nlocked = tests.conformance.test_custom_store:refuse",
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StoreFailed, match=r"custom\+nosuch://: no store of that name .*there: .*broken"):
        open_store("custom+nosuch://user:secret@host")
    with pytest.raises(StoreFailed, match=r"no_such_module:Store can not make the store \(ModuleNotFoundError"):
        open_store("custom+broken://x")
    with pytest.raises(StoreFailed, match="json:loads can not make the store"):
        open_store("custom+angry://x")
    with pytest.raises(StoreLocked):
        open_store("custom+locked://x")


def refuse(location: str) -> None:
    raise StoreLocked("somebody has it", where=location, advice="wait")


def test_its_files_say_the_same_as_the_installed_package():
    assert 'journal = "journal_store:JournalStore"' in EXAMPLE.joinpath("pyproject.toml").read_text()
