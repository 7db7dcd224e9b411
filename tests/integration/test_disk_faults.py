"""What people see when the disk of a real server is full, fails, is damaged, or holds something else."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
import trio
from attrs import define

import aether
from aether.cli.exit_codes import ExitCode
from aether.errors import DeadlineExceeded, ServerFault, ServerUnavailable, StorageUnavailable, WorkflowAlreadyExists
from aether.server import embed
from aether.store.interface import StoreFailed
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_schema import FORMAT
from tests.processes import ROOT, Child, Server, environment
from tests.processes import aether as command
from tests.unit.store.faulty_disk import FaultyDisk

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

FULL = "no room to write; free space on that file system; the write will be repeated"


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


class FaultyServer(Child):
    """`tests/integration/faulty_server.py`, ready for calls."""

    def __init__(self, folder: Path, fault: Path, mode: str) -> None:
        options = ("serve", "--grpc-port", "0", "--db", str(folder / "aether.db"), "--persistence", mode)
        super().__init__("-m", "tests.integration.faulty_server", *options, cwd=ROOT, DISK_FAULT=str(fault))
        self.url = self.wait_for("://")


@define
class Disk:
    """A folder for a database, and how its disk gets full and empty again."""

    folder: Path
    fault: Path
    fill: Callable[[], None]
    empty: Callable[[], None]


@pytest.fixture
def injected(tmp_path: Path) -> Disk:
    fault = tmp_path / "fault"

    def fill() -> None:
        fault.write_text("write FULL")

    return Disk(tmp_path, fault, fill, fault.unlink)


@pytest.fixture
def tmpfs(tmp_path: Path, injected: Disk) -> Iterator[Disk]:
    """A file system that is really full, where mounting one is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield injected
        return
    ballast = folder / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(512)):
                    pass
            except OSError:
                return

    yield Disk(folder, tmp_path / "fault", fill, ballast.unlink)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("kind", "mode"), [("tmpfs", "state-action-log"), ("injected", "snapshot")])
async def test_a_full_disk_refuses_what_is_new_loses_nothing_and_works_again_with_room(
    kind: str, mode: str, request: pytest.FixtureRequest
) -> None:
    disk: Disk = request.getfixturevalue(kind)
    with FaultyServer(disk.folder, disk.fault, mode) as server:
        client = aether.Client(server.url)
        work = trio.Event()

        @client.workflow("w")
        async def w(ctx: aether.Context, padding: str) -> int:
            await ctx.step("before", lambda: 1)
            return await ctx.step("during", wait)

        async def wait() -> int:
            await work.wait()
            return 2

        async with client.serve():
            first = await w.options(workflow_id="first").start("")
            while (await first.status()).info.history_length < 3:  # noqa: ASYNC110 - its worker brings it about
                await trio.sleep(0.01)
            disk.fill()
            client.timeout_s = 1
            # The first to find out: it waits, or, ahead of the disk, is told yes.
            with suppress(StorageUnavailable, DeadlineExceeded):
                await w.options(workflow_id="second").start("x" * 200_000)
            await trio.to_thread.run_sync(server.wait_for, "storage_unavailable")
            with pytest.raises(StorageUnavailable, match=FULL):
                await w.options(workflow_id="third").start("x" * 200_000)
            for question in ("status", "why"):
                told = await trio.to_thread.run_sync(command, question, "first", "--server", server.url)
                assert (told.returncode, FULL in told.stderr) == (ExitCode.UNREACHABLE, True), told
            told = await trio.to_thread.run_sync(command, "doctor", "--server", server.url)
            assert f"server\tfail\t{server.url} can not write: " in told.stdout
            assert f"{FULL}\tmake room on its disk" in told.stdout
            assert "start it again" not in told.stdout
            work.set()
            with trio.move_on_after(0.3) as scope:
                await first.result()
            assert scope.cancelled_caught, "how a run ended is not told before it is on disk"
            disk.empty()
            client.timeout_s = 30
            assert await first.result() == 2
            await trio.to_thread.run_sync(server.wait_for, "storage_available")
            assert await w.options(workflow_id="third").start_and_wait("") == 2
    assert list(SqliteStore(str(disk.folder / "aether.db")).check()) == []


async def test_a_program_whose_own_server_s_disk_fails_is_told_so_by_each_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FaultyDisk()
    monkeypatch.setattr(embed, "open_store", lambda location: SqliteStore(location, vfs=disk.vfs_name))
    client = aether.Client(db=str(tmp_path / "a.db"))
    told = "the embedded server is not running: .*the disk failed"

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None: ...

    with pytest.raises(StoreFailed, match="the disk failed"):
        async with client:
            disk.fail_always("flush", apsw.SQLITE_IOERR_FSYNC)
            for _ in range(2):
                with pytest.raises(ServerFault, match=told):
                    await w.start()
            # A worker has nothing to wait for any more.
            with pytest.raises(ServerFault, match=told):
                async with client.serve():
                    await trio.sleep_forever()


@pytest.mark.parametrize("mode", ["state-action-log", "snapshot"])
async def test_a_flush_that_fails_ends_the_server_with_a_line_and_loses_nothing_acknowledged(
    mode: str, injected: Disk
) -> None:
    db = injected.folder / "aether.db"
    with FaultyServer(injected.folder, injected.fault, mode) as server:
        client = aether.Client(server.url, timeout_s=1)

        @client.workflow("w")
        async def w(ctx: aether.Context) -> int:
            return 1

        async with client.serve():
            assert await w.options(workflow_id="first").start_and_wait() == 1
            injected.fault.write_text("flush IOERR_FSYNC")
            with suppress(ServerUnavailable), trio.move_on_after(1):
                await w.options(workflow_id="second").start_and_wait()
            code, said = await trio.to_thread.run_sync(server.finish)
    assert code == ExitCode.FAILED
    assert said.splitlines()[-1] == (
        f"aether: {db}: the disk failed (SQLITE_IOERR_FSYNC: ); "
        "look into the system's log, check the disk, then start the server again"
    )
    injected.fault.unlink()
    with FaultyServer(injected.folder, injected.fault, mode) as server:
        async with aether.Client(server.url) as again:
            assert await again.handle("first", result_type=int).result() == 1


async def test_a_disk_that_refuses_to_read_for_a_moment_blocks_no_run(injected: Disk) -> None:
    db = injected.folder / "aether.db"
    with FaultyServer(injected.folder, injected.fault, "state-action-log") as server:
        async with aether.Client(server.url) as starter:
            await echo_of(starter).options(workflow_id="one").start("hello")
        server.tell()
        assert server.finish()[0] == 0
    with FaultyServer(injected.folder, injected.fault, "state-action-log") as server:
        injected.fault.write_text("read IOERR_READ")
        client = aether.Client(server.url)
        echo_of(client)
        async with client.serve():
            line = await trio.to_thread.run_sync(server.wait_for, "history_unreadable")
            assert '"again_in_s": 0.1' in line
            injected.fault.unlink()
            assert await client.handle("one").result() == "hello"
            kinds = [type(event.fact).__name__ async for event in client.handle("one").history()]
            assert kinds == ["RunCreated", "RunStarted", "StepCompleted", "RunCompleted"]
        assert not any("run_blocked" in line for line in server.said)
    assert list(SqliteStore(str(db)).check()) == []


def flip(db: Path, content: bytes) -> None:
    """Flip a bit of the last place where `content` is stored."""
    with db.open("r+b") as file:
        where = file.read().rindex(content)
        file.seek(where)
        byte = file.read(1)[0]
        file.seek(where)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("where", ["history", "row"])
async def test_a_damaged_run_is_told_and_keeps_nobody_else_from_being_served(where: str, tmp_path: Path) -> None:
    db = tmp_path / "data" / "aether.db"
    ids = ("one", "two", "three")
    with Server(tmp_path) as server:
        async with aether.Client(server.url) as client:
            starter = echo_of(client)
            handles = [await starter.options(workflow_id=name).start(f"input of {name}") for name in ids]
        server.tell()
        assert server.finish()[0] == 0
    flip(db, b"input of two" if where == "history" else f"two{handles[1].run_id}echo".encode())
    with Server(tmp_path) as server:
        # Lines of the log are written by a thread of their own, so this one may come after the server's address.
        if not any("run_damaged" in line for line in server.said):
            server.wait_for("run_damaged")
        client = aether.Client(server.url)
        workflow = echo_of(client)
        async with client.serve():
            for workflow_id in ("one", "three"):
                assert await client.handle(workflow_id).result() == f"input of {workflow_id}"
            states = [run.state.name async for run in client.list()]
            assert sorted(states) == ["COMPLETED", "COMPLETED", "PENDING"]
            if where == "history":
                await check_damaged(client, workflow)
    (fault,) = SqliteStore(str(db)).check()
    assert "is not what was written (checksum)" in fault


def echo_of(client: aether.Client) -> aether.Workflow[[str], str]:
    @client.workflow("echo")
    async def echo(ctx: aether.Context, text: str) -> str:
        return await ctx.step("echo", lambda: text)

    return echo


async def check_damaged(client: aether.Client, workflow: aether.Workflow[[str], str]) -> None:
    """Nobody who asks for it waits, is told of a state that it is not in, or does its work twice."""
    handle = client.handle("two")
    told = r"damaged on disk: event 1 of run 2 is not what was written \(checksum\); restore a backup"
    changes = (handle.cancel, handle.pause, handle.resume, lambda: handle.signal("s"))
    for ask in (handle.status, handle.result, lambda: handle.read("k"), *changes):
        with pytest.raises(ServerFault, match=told):
            await ask()
    with pytest.raises(
        WorkflowAlreadyExists, match=r"'two' is open, and its run \w+ can not go on, because its history"
    ):
        await workflow.options(workflow_id="two").start("input of two")


def foreign(path: Path, version: int) -> None:
    with apsw.Connection(str(path)) as connection:
        connection.execute(f"PRAGMA application_id = 0x41455448; PRAGMA user_version = {version}; CREATE TABLE t(x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "this is a directory; give the path of a file in it"),
        (lambda path: path.write_text("milk\neggs\n"), "this is not a database; give another path"),
        (
            lambda path: foreign(path, 99),
            (
                f"this database has format 99, this program reads formats up to {FORMAT}; "
                "start a version of Aether that reads it, or give another path"
            ),
        ),
    ],
    ids=["directory", "text", "newer"],
)
def test_what_is_no_database_of_ours_is_refused_in_a_sentence_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "there"
    make(path)
    before = sorted((file.name, file.stat().st_mtime_ns) for file in tmp_path.iterdir())
    refused = command("serve", "--grpc-port", "0", "--db", str(path))
    assert (refused.returncode, refused.stdout) == (ExitCode.FAILED, "")
    assert refused.stderr == f"aether: {path}: {words}\n"
    assert sorted((file.name, file.stat().st_mtime_ns) for file in tmp_path.iterdir()) == before


# All code is loaded first: it may lie where nobody else can read.
AS_NOBODY = """
import contextlib, encodings.idna, io, os, sys
import aether.cli.serve, aether.server.serve, aether.store.sqlite
from aether.cli.main import main
asked, sys.argv = sys.argv, ["aether", "serve", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
sys.argv = asked
os.setuid(65534)
main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_server_without_permission_says_what_it_may_not(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    asked = [sys.executable, "-c", AS_NOBODY, "serve", "--grpc-port", "0", "--db", str(path)]
    tmp_path.chmod(0o555)
    parents = [parent for parent in tmp_path.parents if "pytest" in parent.name]
    modes = [parent.stat().st_mode for parent in parents]
    try:
        for parent in parents:
            parent.chmod(0o755)
        refused = subprocess.run(asked, env=environment(), capture_output=True, text=True, check=False, timeout=30)
    finally:
        for parent, mode in zip(parents, modes, strict=True):
            parent.chmod(mode)
        tmp_path.chmod(0o755)
    assert refused.returncode == ExitCode.FAILED
    assert refused.stderr == (
        f"aether: {path}.lock: it cannot be created (Permission denied); "
        "let this user write to the directory, or give another path\n"
    )
