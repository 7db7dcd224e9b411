"""What some users do when their run is over: they go back to some moment of it, and on from there in another run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

import aether
from aether.errors import InvalidArgument, WorkflowClosed, WorkflowNotFound
from aether.model.events import Event
from aether.sdk.handle import Handle
from aether.testing.seeded import Dice
from aether.testing.talks import Talks

if TYPE_CHECKING:
    from aether.testing.users import User


async def go_back(user: User, handle: Handle[Any], draws: Dice) -> None:
    """Retry what did not end well, or fork it at some event, and see the new run to its end."""
    retries = draws.random() < 0.5
    while True:
        try:
            history = await user.insist(lambda: _history(handle))
            at = 0 if retries else draws.randint(1, len(history))
            made = await user.insist(partial(_make, user, handle, at))
            await _see_to_its_end(user, made, draws)
        except WorkflowNotFound:
            # Not kept any more; or a server that is ahead of its disk has forgotten it: go back once more.
            if user.is_forgotten(handle) or not user.world.plan.tier.is_ahead:
                return
            await trio.sleep(1)
            continue
        except (InvalidArgument, WorkflowClosed) as refusal:
            # Some events are no place to go back to.
            user.world.note(f"{handle.workflow_id} does not go back: {refusal}")
        return


async def _history(handle: Handle[Any]) -> list[Event]:
    return [event async for event in handle.history()]


async def _make(user: User, handle: Handle[Any], at: int) -> Handle[Any]:
    """The new run."""
    workflow_id = f"fork-{user.number}" if at else handle.workflow_id
    try:
        if not at:
            made = await handle.retry()
        else:
            made = await handle.fork(at=at, workflow_id=workflow_id)
    except (aether.WorkflowAlreadyExists, WorkflowNotFound):
        # Asked before, made, and the answer was lost for so long that this is another request; its origin may be gone.
        there = await user.client.handle(workflow_id).status()
        made = user.client.handle(workflow_id, there.info.run_id)
    user.world.deeds["forks" if at else "retries"] += 1
    user.world.note(f"{handle.workflow_id} goes on as {made.workflow_id} from {at or 'its failure'}")
    return made


async def _see_to_its_end(user: User, handle: Handle[Any], draws: Dice) -> None:
    lost: WorkflowNotFound | None = None
    async with trio.open_nursery() as nursery:
        Talks(user, handle, draws).begin(nursery)
        try:
            user.judge_result(handle, await user.insist(handle.result))
        except (aether.WorkflowFailed, aether.WorkflowCancelled) as end:
            user.judge_end(handle, end)
        except WorkflowNotFound as error:
            lost = error
        nursery.cancel_scope.cancel()
    if lost is not None:
        raise lost
