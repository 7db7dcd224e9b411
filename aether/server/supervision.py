"""Tasks that may fail now and then: restarted within a budget, and FATAL when that is used up."""

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from aether.server.telemetry import Log

log = Log("aether.server")

RESTARTS_MAX = 5
WITHIN_S = 300.0
PAUSE_S = 1.0


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until it returns. Raises its failure when there were more than `RESTARTS_MAX` of them `WITHIN_S`."""
    failures: deque[float] = deque()
    while True:
        try:
            await work()
        except Exception as failure:
            now = trio.current_time()
            failures.append(now)
            while failures[0] < now - WITHIN_S:
                failures.popleft()
            if len(failures) > RESTARTS_MAX:
                raise
            log.error("task_failed", task=name, again_in_s=PAUSE_S, exc_info=failure)
            await trio.sleep(PAUSE_S)
        else:
            return
