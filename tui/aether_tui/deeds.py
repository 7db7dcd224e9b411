"""Does what was confirmed: to a queue, to one run, or to many, a few at a time; and tells of each how it went."""

from collections.abc import Callable
from typing import Final

import trio

from aether import AetherError, Client
from aether_tui.actions import ACTIONS, Queue
from aether_tui.known import RunKey
from aether_tui.ui import Intent

_AT_ONCE: Final = 16
_ANSWER_S: Final = 10.0


async def perform(client: Client, intent: Intent, told: Callable[[RunKey, bool, str], None]) -> int:
    """`told` is given each run, whether it was done, and what there is to say. How many it was done to."""
    action = ACTIONS[intent.kind]
    room = trio.CapacityLimiter(_AT_ONCE)
    done = 0

    async def do(run: RunKey, subject: object) -> None:
        nonlocal done
        async with room:
            try:
                with trio.fail_after(_ANSWER_S):
                    said = await action.perform(subject, intent.answers)
            except trio.TooSlowError:
                told(run, False, "no answer; whether it was done is not known")
            except AetherError as error:
                told(run, False, str(error))
            else:
                done += 1
                told(run, True, said or "done")

    async with trio.open_nursery() as nursery:
        if action.is_of_queue:
            nursery.start_soon(do, (intent.queue, ""), Queue(client, intent.queue))
        for run in intent.runs:
            nursery.start_soon(do, run, client.handle(*run))
    return done
