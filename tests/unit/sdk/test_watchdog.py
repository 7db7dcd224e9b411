"""Whoever keeps the event loop from turning is named, before that costs the worker its session."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator

import anyio
import pytest

import aether
from aether.sdk.watchdog import Watchdog, describe
from tests.unit.sdk.peer import begun, client_of, quiet, serving

pytestmark = pytest.mark.anyio
TIMEOUT_S = 0.08


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Alarm(logging.Handler):
    """Lets code that blocks go on when it has been told of."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._rang = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self._rang.set()

    def block(self) -> None:
        assert self._rang.wait(20), "nobody has said anything"
        self._rang.clear()


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    made, log = Alarm(), logging.getLogger("aether.worker")
    log.addHandler(made)
    yield made
    log.removeHandler(made)


def line_of(function: Callable[..., object]) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno + 1}"


async def test_a_workflow_that_blocks_is_named_with_the_line(alarm: Alarm) -> None:
    async def work(ctx: aether.Context) -> None:
        alarm.block()

    async with serving(client_of(work), timeout_ms=int(TIMEOUT_S * 1000)) as peer:
        peer.workflow(*begun())
        assert (await peer.completion()).commands[0].HasField("complete_run")
    (said,) = alarm.said
    assert said.startswith(f"workflow 'w' (id 'id', run run), at {line_of(work)}, in {threading.__file__}:")
    assert "kept the event loop from turning for more than 0.0 s; after 0.1 s this worker loses its session" in said


async def test_a_step_that_blocks_is_named_each_time(alarm: Alarm) -> None:
    async def slow() -> None:
        alarm.block()

    async def work(ctx: aether.Context) -> None:
        await ctx.step("first", slow)
        await anyio.sleep(TIMEOUT_S)
        await ctx.step("second", slow)

    async with serving(client_of(work), timeout_ms=int(TIMEOUT_S * 1000)) as peer:
        peer.workflow(*begun())
        for seq in (3, 4):
            assert (await peer.completion()).commands[0].HasField("record_step")
            peer.ack(seq)
    assert [said.split(", ")[0] for said in alarm.said] == [
        f"step {name!r} of workflow 'w' (id 'id'" for name in ("first", "second")
    ]
    assert line_of(slow) in alarm.said[0]


async def test_an_activity_that_blocks_is_named(alarm: Alarm) -> None:
    client = client_of()

    @client.activity("a")
    async def act() -> None:
        alarm.block()

    async with serving(client, timeout_ms=int(TIMEOUT_S * 1000)) as peer:
        peer.activity()
        assert (await peer.completion()).commands[0].HasField("complete_activity")
    assert alarm.said[0].startswith("activity 'a' of workflow id 'id', at ")


async def test_other_code_of_the_same_loop_is_shown_by_its_line(alarm: Alarm) -> None:
    async with serving(client_of(), timeout_ms=int(TIMEOUT_S * 1000)):
        # Until the session has begun.
        await quiet()
        alarm.block()
    assert alarm.said[0].startswith(f"code at {threading.__file__}:")


async def test_a_loop_that_turns_is_not_spoken_of_and_the_thread_ends(alarm: Alarm) -> None:
    looking = Watchdog(TIMEOUT_S)
    with anyio.move_on_after(TIMEOUT_S):
        await looking.run()
    while any(thread.name == "aether-watchdog" for thread in threading.enumerate()):  # noqa: ASYNC110
        await anyio.sleep(0.001)
    assert alarm.said == []


def test_a_stack_that_is_nobodys_is_shown_by_its_innermost_line() -> None:
    frame = sys._getframe()
    assert describe(frame).startswith(f"code at {__file__}:")
