"""How the function of a step is called, in the event loop or in a thread, and what is recorded of it.

A coroutine function is awaited where the workflow runs. Anything else may block, so it is called in a thread; if it
hands back something to await (`lambda: fetch(order)`), that is awaited in the event loop, and the function's code is
remembered as one that only makes awaitables and is called in the event loop from then on.
"""

from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from types import CodeType
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
from attrs import define, frozen

from aether.model import commands as c
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy
from aether.sdk.arguments import hints_of
from aether.sdk.converters import UNDECLARED, Converter, is_scalar
from aether.sdk.define import is_coroutine_function
from aether.sdk.waiters import Waiter

# More code objects than any program has; one that makes functions at run time starts over.
_PLANS_MAX: Final = 10_000


class Lane(Protocol):
    """Where functions are called that may block."""

    async def call(self, function: Callable[[], Any], *, is_abandoned: bool = False) -> Any:
        """What it returns. A cancel waits for its end, unless it `is_abandoned`: then it is left to itself."""


class ThreadLane:
    """Threads, at most so many at a time; more calls than that wait."""

    def __init__(self, threads_max: int) -> None:
        self._limiter = anyio.CapacityLimiter(threads_max)

    async def call(self, function: Callable[[], Any], *, is_abandoned: bool = False) -> Any:
        def in_thread() -> tuple[Any]:
            # In a tuple, for Trio refuses functions that hand back a coroutine: it takes them for a mistake.
            return (function(),)

        (value,) = await anyio.to_thread.run_sync(in_thread, limiter=self._limiter, abandon_on_cancel=is_abandoned)
        return value


@frozen
class StepRules:
    """How a step is called: with which arguments, and what happens when it fails or takes too long."""

    args: tuple[Any, ...] = ()
    retry: RetryPolicy | None = None
    timeout_s: float | None = None


@define
class StepPlan:
    """What is known of a function from its code and annotations."""

    code: CodeType | None
    is_inline: bool
    returned: Any


_plans: dict[int, StepPlan] = {}


def plan_of(function: Callable[..., object]) -> StepPlan:
    code = getattr(function, "__code__", None)
    if code is None:
        return _plan_of_object(function)
    # By identity: hashing a code object costs more than all the rest here. The plan keeps the code, so its id, alive.
    plan = _plans.get(id(code))
    if plan is None:
        if len(_plans) >= _PLANS_MAX:
            _plans.clear()
        plan = _plans[id(code)] = StepPlan(code, is_coroutine_function(function), _returned_by(function))
    return plan


def _plan_of_object(function: Callable[..., object]) -> StepPlan:
    if isinstance(function, partial):
        return plan_of(function.func)
    if hasattr(function, "__func__"):
        return plan_of(function.__func__)
    if isinstance(function, type) or not hasattr(type(function).__call__, "__code__"):
        return StepPlan(None, is_coroutine_function(function), UNDECLARED)
    return plan_of(type(function).__call__)


def _returned_by(function: Callable[..., object]) -> Any:
    if "return" not in getattr(function, "__annotations__", {}):
        return UNDECLARED
    return hints_of(function).get("return", UNDECLARED)


async def call(
    plan: StepPlan,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    timeout_s: float | None,
    lane: Lane,
) -> Any:
    """The function's result, awaited if need be. Raises TimeoutError after `timeout_s`."""
    if timeout_s is None:
        return await _call(plan, function, args, lane, is_bounded=False)
    with anyio.move_on_after(timeout_s):
        return await _call(plan, function, args, lane, is_bounded=True)
    raise TimeoutError(f"the step took longer than {timeout_s:g} s")


async def _call(
    plan: StepPlan,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    lane: Lane,
    *,
    is_bounded: bool,
) -> Any:
    if plan.is_inline:
        value = function(*args)
        return await value if isawaitable(value) else value
    value = await lane.call(partial(function, *args), is_abandoned=is_bounded)
    if isawaitable(value):
        plan.is_inline = True
        # An annotation of the maker is about the awaitable, not about what comes out of it.
        plan.returned = UNDECLARED
        return await value
    return value


def completed(waiter: Waiter, value: Any, hint: Any, started_at: int, converter: Converter) -> c.RecordStep:
    place = f"the result of step {waiter.name!r}"
    plain = converter.encode_plain(value, place, hint)
    # What replay will return is what this run goes on with.
    if not is_scalar(value, hint):
        value = converter.decode_plain(plain, place, hint)
    waiter.memo = (value,)
    return c.RecordStep(waiter.path, waiter.name, converter.seal(plain, place), None, waiter.attempt, started_at)


def failed(waiter: Waiter, failure: Failure, retry: RetryPolicy | None, started_at: int) -> c.RecordStep | c.FailStep:
    """Without a policy a failure is final; with one the server decides, by the same rule as for activities."""
    if retry is None:
        return c.RecordStep(waiter.path, waiter.name, None, failure, waiter.attempt, started_at)
    return c.FailStep(waiter.path, waiter.name, failure, waiter.attempt, retry, started_at)
