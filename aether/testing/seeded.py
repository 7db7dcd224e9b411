"""Trio runs whose order of tasks follows from a seed: the one place that knows how Trio is made to do so.

Trio shuffles the tasks that are ready, so that nobody relies on an order. Two private names of its scheduler make the
shuffling repeatable: a switch that sorts the tasks before they are shuffled, and the generator that shuffles. With them
two runs of the same code take their turns alike, in one process or in two, whatever the seed of Python's hashes is.
What else a run draws or looks at (the clock, threads, sockets, `os.urandom`) is not seeded by this.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, TypeVarTuple, Unpack

import trio
from trio._core import _run as scheduler

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_SWITCH: Final = "_ALLOW_DETERMINISTIC_SCHEDULING"
_GENERATOR: Final = "_r"


class Dice(random.Random):
    """Draws whatever else a test needs."""


def dice(seed: object) -> Dice:
    """`seed` is a number or a text."""
    return Dice(str(seed))


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """Trio runs inside of the block, one after the other, take their turns by `seed`. Not for several threads."""
    if not isinstance(getattr(scheduler, _GENERATOR, None), random.Random) or not hasattr(scheduler, _SWITCH):
        raise RuntimeError(f"Trio {trio.__version__} can not be seeded as aether.testing.seeded knows it")
    generator, switch = getattr(scheduler, _GENERATOR), getattr(scheduler, _SWITCH)
    setattr(scheduler, _SWITCH, True)
    setattr(scheduler, _GENERATOR, random.Random(seed))  # noqa: S311 - a game of tests, not a secret
    try:
        yield
    finally:
        setattr(scheduler, _SWITCH, switch)
        setattr(scheduler, _GENERATOR, generator)


def run_seeded(
    seed: int,
    function: Callable[[Unpack[Ts]], Awaitable[R]],
    *args: *Ts,
    clock: trio.abc.Clock | None = None,
) -> R:
    """`trio.run` with the turns of its tasks drawn from `seed`; a `trio.testing.MockClock` makes times repeatable."""
    with seeded_scheduling(seed):
        return trio.run(function, *args, clock=clock)
