"""What the server stands on: a clock, threads for whatever blocks, and a desk for the writer.

`Machine()` is the real one. A simulation gives another, which does in virtual time what is done here in threads.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio
from attrs import frozen

from aether.server.clock import Clock
from aether.server.desk import Desk, ThreadDesk

R = TypeVar("R")


class Call(Protocol):
    """How something is called that blocks: to its end, even if nobody waits for it any more."""

    async def __call__(self, function: Callable[[], R], /) -> R: ...


async def call_in_thread(function: Callable[[], R], /) -> R:
    return await trio.to_thread.run_sync(function)


@frozen
class Machine:
    """Each server makes a clock and a desk of its own."""

    clock: Callable[[], Clock] = Clock
    call: Call = call_in_thread
    desk: Callable[[], Desk] = ThreadDesk
