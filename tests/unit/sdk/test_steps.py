"""How a step's function is called: in the event loop or in a thread, and what is remembered of it."""

import threading
from functools import partial

import anyio
import pytest

from aether.sdk import steps
from aether.sdk.converters import UNDECLARED
from aether.sdk.steps import ThreadLane, call, plan_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    monkeypatch.setattr(steps, "_plans", {})


async def called(function, *args, timeout_s=None):
    return await call(plan_of(function), function, args, timeout_s, ThreadLane(1))


def where() -> str:
    return "loop" if threading.current_thread() is threading.main_thread() else "thread"


async def where_async() -> str:
    return where()


class Thing:
    def method(self) -> str:
        return where()

    async def method_async(self) -> str:
        return where()

    def __call__(self) -> str:
        return where()


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (where, "thread"),
        (where_async, "loop"),
        (lambda: where(), "thread"),  # noqa: PLW0108
        (lambda: where_async(), "loop"),  # noqa: PLW0108
        (partial(where), "thread"),
        (partial(where_async), "loop"),
        (Thing().method, "thread"),
        (Thing().method_async, "loop"),
        (Thing(), "thread"),
    ],
)
async def test_what_may_block_runs_in_a_thread_and_what_is_awaited_does_not(function, place):
    assert await called(function) == place
    assert await called(function) == place


async def test_a_function_that_makes_awaitables_is_called_in_the_loop_from_then_on():
    makers = []

    def make():
        makers.append(threading.current_thread())
        return where_async()

    for _ in range(3):
        await called(make)
    assert makers[0] is not makers[1]
    assert makers[1] is makers[2] is threading.current_thread()


async def test_an_inline_function_may_return_a_plain_value_for_once():
    answers = [where_async, lambda: 5, where_async]

    def sometimes():
        return answers.pop(0)()

    assert await called(sometimes) is not None
    assert await called(sometimes) == 5
    assert await called(sometimes) is not None


async def test_builtins_and_classes_are_called_in_a_thread():
    assert await called(len, "abc") == 3
    assert await called(str, 5) == "5"
    assert await called(dict) == {}


@pytest.mark.parametrize("function", [anyio.sleep_forever, lambda: anyio.sleep_forever()])  # noqa: PLW0108
async def test_a_step_that_is_not_over_in_time_raises(function):
    with pytest.raises(TimeoutError, match=r"longer than 0\.01 s"):
        await called(function, timeout_s=0.01)


async def test_a_thread_that_takes_too_long_is_left_to_itself():
    goes_on = threading.Event()
    with pytest.raises(TimeoutError):
        await called(goes_on.wait, timeout_s=0.01)
    goes_on.set()


async def test_a_step_that_is_over_in_time_returns_its_result():
    assert await called(where, timeout_s=60) == "thread"
    assert await called(where_async, timeout_s=60) == "loop"


def test_the_annotation_of_the_result_is_remembered():
    assert plan_of(where).returned is str
    assert plan_of(partial(where)).returned is str
    assert plan_of(Thing().method_async).returned is str
    assert plan_of(lambda: 1).returned is UNDECLARED
    assert plan_of(len).returned is UNDECLARED
    assert plan_of(where) is plan_of(where)


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(steps, "_PLANS_MAX", 2)
    for _ in range(5):
        plan_of(eval("lambda: 1"))
    assert len(steps._plans) <= 2
