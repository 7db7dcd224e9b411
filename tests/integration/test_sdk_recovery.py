"""What is promised when things die: workers and servers killed by SIGKILL, code that changes under open runs."""

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.from_thread
import pytest

import aether
from aether.errors import ServerUnavailable
from aether.model import events as e
from tests.integration.peers import ServerProcess
from tests.processes import Child, Server

pytestmark = pytest.mark.anyio

APP = '''
"""What the worker processes of these tests serve."""

from pathlib import Path

import anyio

import aether

client = aether.Client(worker_id={worker!r})
HERE = Path(__file__).parent


def note(text):
    with HERE.joinpath("ran.txt").open("a") as notes:
        notes.write(text + "\\n")


async def first():
    note("first")
    return "one"


async def second():
    note("second {worker}")
    while not HERE.joinpath("go").exists():
        await anyio.sleep(0.005)
    return "two"


@client.workflow("pair")
async def pair(ctx: aether.Context) -> list[str]:
    return [await ctx.step("first", first), await ctx.step("second", second)]
'''


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


class Worker(Child):
    """A real `aether worker` in a process of its own."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        module = name.replace("-", "_")
        folder.joinpath(f"{module}.py").write_text(APP.format(worker=name))
        super().__init__("-m", "aether.cli", "worker", f"{module}:client", cwd=folder, AETHER_SERVER=url)
        self.wait_for("serving")


def ran(folder: Path) -> list[str]:
    notes = folder / "ran.txt"
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


async def until(fact, *args):
    """Until the fact holds; it is looked at, for it has no way of telling."""
    with anyio.fail_after(30):
        while not fact(*args):  # noqa: ASYNC110
            await anyio.sleep(0.005)


def caller(url: str) -> tuple[aether.Client, aether.Workflow[[], list[str]]]:
    client = aether.Client(url)

    @client.workflow("pair")
    async def pair(ctx: aether.Context) -> list[str]:
        raise AssertionError("this process only starts it")

    return client, pair.options(workflow_id="p")


async def test_a_killed_workers_run_goes_on_elsewhere_and_no_recorded_step_runs_again(server, tmp_path):
    client, pair = caller(server.url)
    async with client:
        with Worker(tmp_path, "alpha", server.url) as alpha:
            handle = await pair.start()
            await until(lambda: "second alpha" in ran(tmp_path))
            alpha.tell(signal.SIGKILL)
        with Worker(tmp_path, "beta", server.url):
            await until(lambda: "second beta" in ran(tmp_path))
            tmp_path.joinpath("go").touch()
            assert await handle.result(timeout_s=30) == ["one", "two"]
        facts = [event.fact async for event in handle.history()]
    assert ran(tmp_path) == ["first", "second alpha", "second beta"]
    assert [(fact.name, fact.attempt) for fact in facts if isinstance(fact, e.StepCompleted)] == [
        ("first", 1),
        ("second", 2),
    ]
    assert [fact.attempt for fact in facts if isinstance(fact, e.RunStarted)] == [1, 2]


async def test_what_a_stopped_worker_does_not_finish_goes_to_another_one_while_its_thread_still_runs(tmp_path):
    begun, go_on, has_left = anyio.Event(), threading.Event(), anyio.Event()

    def program(work: Callable[[], str]) -> tuple[aether.Client, aether.Workflow[[], str]]:
        client = aether.Client(server.url, worker_id=work.__name__)
        activity = client.activity("work")(work)

        @client.workflow("works")
        async def works(ctx: aether.Context) -> str:
            return await ctx.activity(activity)

        return client, works

    def stuck() -> str:
        anyio.from_thread.run_sync(begun.set)
        go_on.wait(30)
        return "too late"

    def quick() -> str:
        return "done"

    async def serve_until_begun() -> None:
        async with program(stuck)[0].serve(grace_s=0):
            await begun.wait()
        has_left.set()

    # So long a timeout that silence tells the server nothing.
    with Server(tmp_path, "--session-timeout-s", "3600") as server:
        client, works = program(quick)
        async with anyio.create_task_group() as group, client:
            group.start_soon(serve_until_begun)
            try:
                handle = await works.start()
                await begun.wait()
                async with client.serve():
                    assert await handle.result(timeout_s=20) == "done"
                assert not has_left.is_set(), "nothing can stop a thread"
            finally:
                go_on.set()


async def test_a_killed_server_loses_nothing_and_whoever_waits_goes_on_waiting(tmp_path):
    with Server(tmp_path) as first:
        url, port = first.url, first.url.rpartition(":")[2]
        client, pair = caller(url)
        async with client, anyio.create_task_group() as group:
            with Worker(tmp_path, "alpha", url):
                handle = await pair.start()
                results = []

                async def wait():
                    results.append(await handle.result(timeout_s=50))

                group.start_soon(wait)
                await until(lambda: "second alpha" in ran(tmp_path))
                first.tell(signal.SIGKILL)
                first.process.wait()
                tmp_path.joinpath("go").touch()
                with Server(tmp_path, "--grpc-port", port):
                    await until(lambda: results)
                    facts = [event.fact async for event in handle.history()]
    assert results == [["one", "two"]]
    assert ran(tmp_path)[0] == "first"
    assert ran(tmp_path).count("first") == 1
    assert isinstance(facts[-1], e.RunCompleted)


async def test_what_is_open_in_an_embedded_database_goes_on_when_the_program_comes_back(tmp_path):
    def program():
        client = aether.Client(db=str(tmp_path / "data" / "work.db"))
        ran_now = []

        def sleep() -> str:
            ran_now.append("before")
            return "slept"

        @client.workflow("nap")
        async def nap(ctx: aether.Context) -> str:
            before = await ctx.step("before", sleep)
            await ctx.sleep(seconds=0.5)
            ran_now.append("after")
            return before

        return client, nap.options(workflow_id="n"), ran_now

    client, nap, ran_now = program()
    async with client.serve():
        handle = await nap.start()
        while not (await handle.status()).pending:  # noqa: ASYNC110
            await anyio.sleep(0.005)
    assert ran_now == ["before"]
    client, nap, ran_now = program()
    async with client.serve():
        assert await client.handle("n", result_type=str).result() == "slept"
    assert ran_now == ["after"]


async def test_code_that_does_not_fit_blocks_the_run_until_code_that_fits_comes(server):
    def version(name: str) -> tuple[aether.Client, aether.Workflow[[], str]]:
        client = aether.Client(server.url, worker_id=name)

        @client.workflow("changing")
        async def changing(ctx: aether.Context) -> str:
            result = await ctx.step("new" if name == "wrong" else "old", lambda: name)
            assert name in ("right", result)
            await ctx.sleep(seconds=0.3)
            return await ctx.step("last", lambda: f"{result} then {name}")

        return client, changing.options(workflow_id="c")

    client, changing = version("first")
    async with client.serve():
        handle = await changing.start()
        while not (await handle.status()).pending:  # noqa: ASYNC110
            await anyio.sleep(0.005)
    client, _ = version("wrong")
    async with client.serve():
        status = await client.handle("c").status()
        while not status.blocked:
            await anyio.sleep(0.005)
            status = await client.handle("c").status()
        assert status.failure is not None
        assert status.failure.type == "NonDeterminism"
        assert "at 1 the history holds step 'old', the code asks for step 'new'" in status.failure.message
        assert status.state is aether.RunState.RUNNING
    client, _ = version("right")
    async with client.serve():
        assert await client.handle("c").result(timeout_s=30) == "first then right"


async def test_runs_that_only_wait_are_forgotten_and_replayed_when_there_are_many():
    client = aether.Client(db="memory")
    begun = []

    @client.workflow("sleeper")
    async def sleeper(ctx: aether.Context, number: int) -> int:
        begun.append(number)
        doubled = await ctx.step("double", lambda: number * 2)
        await ctx.sleep(seconds=0.4)
        return doubled

    async with client.serve(resident_max=3):
        results = {}

        async def one(number: int) -> None:
            results[number] = await sleeper.start_and_wait(number)

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(one, number)
    assert results == {number: number * 2 for number in range(10)}
    assert len(begun) > 10, "none was replayed"
    assert set(begun) == set(range(10))


async def test_leaving_the_block_lets_a_step_end_and_records_it(tmp_path):
    location = str(tmp_path / "work.db")
    started, log = anyio.Event(), []

    def program():
        client = aether.Client(db=location)

        async def slow() -> str:
            log.append("slow")
            started.set()
            # Whoever leaves the block waits for us.
            await anyio.wait_all_tasks_blocked()
            return "done"

        @client.workflow("w")
        async def w(ctx: aether.Context) -> list[str]:
            return [await ctx.step("slow", slow), await ctx.step("next", lambda: "next")]

        return client, w

    client, w = program()
    async with client.serve():
        handle = await w.options(workflow_id="w").start()
        await started.wait()
    client, _ = program()
    async with client.serve():
        assert await client.handle("w", handle.run_id).result() == ["done", "next"]
    assert log == ["slow"]


async def test_a_worker_that_no_server_answers_says_so_and_goes_on_trying(free_port, caplog):
    caplog.set_level(logging.WARNING, "aether.worker")
    client, _ = caller(f"http://127.0.0.1:{free_port}")

    async def serve() -> None:
        async with client.serve():
            raise AssertionError("nobody is there")

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        while caplog.text.count("again in") < 2:  # noqa: ASYNC110
            await anyio.sleep(0.005)
        group.cancel_scope.cancel()
    assert "cannot connect to" in caplog.text


async def test_what_is_asked_first_of_a_server_that_has_come_back_is_answered(tmp_path):
    server = ServerProcess.start(tmp_path / "aether.db")
    client, pair = caller(f"http://{server.address}")
    async with client:
        handle = await pair.start()
        # In one go, so that nobody has noticed yet that the connection is lost.
        server.kill()
        server = ServerProcess.start(tmp_path / "aether.db", port=server.port)
        told = []

        async def ask(answers):
            told.append([answer async for answer in answers])

        async def rows():
            for row in await handle.timeline():
                yield row

        async def state():
            yield await handle.at(1)

        async with anyio.create_task_group() as group:
            for answers in (handle.history(), client.list(), rows(), state()):
                group.start_soon(ask, answers)
        assert [len(answers) for answers in told] == [1] * 4
    server.stop()


async def test_who_has_begun_to_be_answered_is_told_that_the_rest_is_missing(tmp_path):
    server = ServerProcess.start(tmp_path / "aether.db")
    client, pair = caller(f"http://{server.address}")
    async with client:
        # More than is under way at a time.
        tags = {f"tag-{number}": "x" * 200 for number in range(32)}
        many = [pair.options(workflow_id=f"w{number}", tags=tags).prepare() for number in range(300)]
        await client.start_many(many)
        listed = client.list(limit=300)
        assert (await anext(listed)).workflow_type == "pair"
        server.kill()
        with pytest.raises(ServerUnavailable):
            async for _ in listed:
                pass
