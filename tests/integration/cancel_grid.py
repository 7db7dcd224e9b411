"""Every way in which a cancel can meet a run: what the run is blocked in, who asks, and when.

`cases` gives what there is to test; whatever is not tested is in `SENSELESS` with its reason.
"""

from collections.abc import Awaitable, Callable
from itertools import product
from typing import Final

import anyio

BLOCKED: Final = ("step", "activity", "child", "sleep", "parallel", "back-off", "queue")
ASKED_BY: Final = ("api", "cli", "parent", "deadline", "run timeout")
WHEN: Final = ("before start", "running", "same tick", "cleaning up")

SENSELESS: Final = {
    **{
        (blocked, asked_by, "before start"): "its code has not begun, so it is blocked in nothing but a queue"
        for blocked in BLOCKED
        if blocked != "queue"
        for asked_by in ASKED_BY
    },
    **{
        (blocked, "cli", "same tick"): "the command makes the call of the API; who comes first is the engine's matter"
        for blocked in BLOCKED
    },
    **{
        (blocked, "run timeout", "cleaning up"): "what ends a run at once asks for no clean-up that could be disturbed"
        for blocked in BLOCKED
    },
}


def cases(when: str, *asked_by: str) -> list[tuple[str, str]]:
    """(blocked, asked by) of what makes sense at that time."""
    return [(blocked, who) for blocked, who in product(BLOCKED, asked_by) if (blocked, who, when) not in SENSELESS]


async def until(fact: Callable[[], Awaitable[object]]) -> None:
    """Until it holds; it is asked for, since whoever brings it about has no way of telling."""
    while not await fact():  # noqa: ASYNC110
        await anyio.sleep(0.002)
