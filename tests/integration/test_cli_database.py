"""`aether db`, beside servers and without: what is shown, what it ends with, and that a copy can be served."""

import json
import signal

import apsw

from aether.store.sqlite_schema import FORMAT
from tests.integration.test_cli_runs import start
from tests.processes import Server, aether


def test_a_database_is_checked_and_copied_while_a_server_runs_and_the_copy_is_served(tmp_path):
    with Server(tmp_path) as running:
        for number in range(5):
            start(running, f"order-{number}")
        whole = aether("db", "check", "-o", "json", cwd=tmp_path)
        assert whole.returncode == 0, whole.stdout + whole.stderr
        report = json.loads(whole.stdout)
        assert (report["runs"], report["events"], report["faults"]) == (5, 5, [])
        copied = aether("db", "backup", "copy.db", "-o", "json", cwd=tmp_path)
        assert copied.returncode == 0, copied.stderr
        assert json.loads(copied.stdout)["bytes"] == (tmp_path / "copy.db").stat().st_size
        start(running, "later")
        refused = aether("db", "migrate", cwd=tmp_path)
        assert refused.returncode == 1
        assert f"in use by pid {running.process.pid}" in refused.stderr
    assert "state\twhole\n" in aether("db", "check", "--db", "copy.db", cwd=tmp_path).stdout
    again = aether("db", "backup", "copy.db", cwd=tmp_path)
    assert again.returncode == 1
    assert "something of that name already" in again.stderr
    with Server(tmp_path, "--db", "copy.db") as running:
        listed = aether("workflow", "list", "-o", "json", AETHER_SERVER=running.url)
        assert [run["workflow_id"] for run in json.loads(listed.stdout)] == [f"order-{n}" for n in (4, 3, 2, 1, 0)]


def test_faults_are_told_and_end_the_check_with_1(tmp_path):
    with Server(tmp_path, "--db", "a.db") as running:
        run_id = start(running, "order-1")
        running.tell(signal.SIGTERM)
        assert running.finish()[0] == 0
    name = f"workflow 'order-1', run {run_id}"
    edits = {
        "UPDATE log SET body = x'00'": f"event 1 of {name} is not what was written (checksum)",
        "DELETE FROM log": f"{name}: it has no events",
        "UPDATE runs SET state = 2": f"{name}: it is stored as 2, and its history leads to 1 (PENDING)",
        "INSERT INTO tags VALUES ('a', 'b', 1)": f"{name} is found by a tag 'a' that it does not have",
        "INSERT INTO closed_counts VALUES ('x', 3, 2)": "closed runs of type 'x' in state 3: the count is off by 2",
    }
    whole = (tmp_path / "a.db").read_bytes()
    for number, (edit, fault) in enumerate(edits.items()):
        path = tmp_path / f"{number}.db"
        path.write_bytes(whole)
        connection = apsw.Connection(str(path))
        connection.execute(edit)
        connection.close()
        found = aether("db", "check", "--db", str(path))
        assert found.returncode == 1
        assert f"fault\t{fault}\n" in found.stdout, edit
        assert "state\t1 faults\n" in found.stdout


def test_without_a_database_it_says_so(tmp_path):
    for command in (["check"], ["backup", "copy.db"], ["migrate"], ["vacuum"], ["stats"]):
        missing = aether("db", *command, cwd=tmp_path)
        assert missing.returncode == 1
        assert "data/aether.db: there is no such file; name the database with --db" in missing.stderr
    in_memory = aether("db", "check", cwd=tmp_path, AETHER_PERSISTENCE="memory")
    assert in_memory.returncode == 2
    assert "there is no database: persistence.mode is memory" in in_memory.stderr
    assert not list(tmp_path.iterdir())


def test_a_database_of_a_newer_version_is_refused_with_a_sentence(tmp_path):
    connection = apsw.Connection(str(tmp_path / "new.db"))
    connection.execute("PRAGMA application_id = 0x41455448; PRAGMA user_version = 99; CREATE TABLE t(a)")
    connection.close()
    for command in (["check"], ["backup", str(tmp_path / "copy.db")], ["migrate"]):
        refused = aether("db", *command, "--db", str(tmp_path / "new.db"))
        assert refused.returncode == 1
        assert "this database has format 99, this program reads formats up to" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_what_is_no_database_of_ours_is_said_to_be_none(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, though long enough to be one\n" * 50)
    (tmp_path / "short.txt").write_text("short\n")
    (tmp_path / "empty.db").write_text("")
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("CREATE TABLE t(a)")
    other.close()
    for name in ("notes.txt", "short.txt", "empty.db", "other.db"):
        for command in (["check"], ["backup", str(tmp_path / "copy.db")], ["stats"]):
            refused = aether("db", *command, "--db", str(tmp_path / name))
            assert (refused.returncode, refused.stdout) == (1, ""), (name, command)
            assert "database" in refused.stderr
            assert "Traceback" not in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
    assert "this is not a database of Aether's" in aether("db", "check", "--db", str(tmp_path / "notes.txt")).stderr
    assert not (tmp_path / "copy.db").exists()


def test_the_room_that_a_database_takes_is_told_and_given_back(tmp_path):
    with Server(tmp_path, "--db", "a.db") as running:
        for number in range(3):
            start(running, f"order-{number}")
        report = json.loads(aether("db", "stats", "--db", "a.db", "-o", "json", cwd=tmp_path).stdout)
        assert (report["runs"], report["pending"], report["newest_event"], report["format"]) == (3, 3, 3, FORMAT)
        assert report["bytes"] >= report["bytes_unused"] >= 0
        assert report["bytes_of_log"] > 0
        refused = aether("db", "vacuum", "--db", "a.db", cwd=tmp_path)
        assert refused.returncode == 1
        assert f"in use by pid {running.process.pid}" in refused.stderr
        running.tell(signal.SIGTERM)
        assert running.finish()[0] == 0
    done = json.loads(aether("db", "vacuum", "--db", "a.db", "-o", "json", cwd=tmp_path).stdout)
    assert done["bytes_before"] >= done["bytes"] == (tmp_path / "a.db").stat().st_size
    assert "state\twhole\n" in aether("db", "check", "--db", "a.db", cwd=tmp_path).stdout
    assert "bytes unused\t0\n" in aether("db", "stats", "--db", "a.db", cwd=tmp_path).stdout
