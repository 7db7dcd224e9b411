"""How the function of a step is called: in the event loop, or in a thread.

A coroutine function is awaited where the workflow runs. Anything else may block, so it is called in a thread; if it
hands back something to await (`lambda: fetch(order)`), that is awaited in the event loop, and the function's code is
remembered as one that only makes awaitables and is called in the event loop from then on.
"""

from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from types import CodeType
from typing import Any, Final

import anyio
import anyio.to_thread
from attrs import define

from aether.sdk.arguments import hints_of
from aether.sdk.converters import UNDECLARED
from aether.sdk.define import is_coroutine_function

# More code objects than any program has; one that makes functions at run time starts over.
_PLANS_MAX: Final = 10_000


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
    kwargs: dict[str, Any],
    limiter: anyio.CapacityLimiter,
) -> Any:
    """The function's result, awaited if need be."""
    if plan.is_inline:
        value = function(*args, **kwargs)
        return await value if isawaitable(value) else value
    value = await call_in_thread(partial(function, *args, **kwargs), limiter)
    if isawaitable(value):
        plan.is_inline = True
        # An annotation of the maker is about the awaitable, not about what comes out of it.
        plan.returned = UNDECLARED
        return await value
    return value


async def call_in_thread(function: Callable[[], Any], limiter: anyio.CapacityLimiter) -> Any:
    """A cancel waits for the thread, which nothing can stop."""

    def in_thread() -> tuple[Any]:
        # In a tuple, for Trio refuses functions that hand back a coroutine: it takes them for a mistake.
        return (function(),)

    (value,) = await anyio.to_thread.run_sync(in_thread, limiter=limiter)
    return value
