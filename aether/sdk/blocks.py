"""The blocks in which a client is connected.

Each has connections of its own, which end with it in the task that began it, whatever other tasks do. Who is in none,
like somebody who answers a request in a web application, uses those of the oldest.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Final

import anyio
from attrs import mutable

from aether.sdk.transport import Transport

# Those in which this task, or one of which it comes, is or was.
_entered: Final[ContextVar[tuple["_Block", ...]]] = ContextVar("aether_blocks", default=())


@mutable(eq=False)
class _Block:
    task: int
    transport: Transport
    end: AsyncExitStack
    depth: int = 1


class Blocks:
    def __init__(self, connect: Callable[[AsyncExitStack], Awaitable[Transport]]) -> None:
        """`connect` gives the stack what is to be undone at the end."""
        self._connect = connect
        self._open: dict[_Block, None] = {}

    @property
    def transport(self) -> Transport | None:
        block = self._own() or next(iter(self._open), None)
        return block.transport if block is not None else None

    async def enter(self) -> None:
        task = anyio.get_current_task().id
        block = self._own()
        if block is not None and block.task == task:
            block.depth += 1
            return
        async with AsyncExitStack() as stack:
            transport = await self._connect(stack)
            block = _Block(task, transport, stack.pop_all())
        self._open[block] = None
        _entered.set((*_entered.get(), block))

    async def leave(self) -> None:
        block = self._own() or next(reversed(self._open))
        block.depth -= 1
        if block.depth == 0:
            del self._open[block]
            _entered.set(tuple([each for each in _entered.get() if each is not block]))
            # Not told of the block's exception, which would come back wrapped in a group.
            await block.end.aclose()

    def _own(self) -> _Block | None:
        for block in reversed(_entered.get()):
            if block in self._open:
                return block
        return None
