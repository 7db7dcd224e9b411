"""How a run ends: what its function comes to, what it leaves behind, and what is undone when it does not end well."""

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from aether.errors import InvalidArgument
from aether.model import commands as c
from aether.model.payload import Failure, Payload
from aether.model.runs import ParentClosePolicy
from aether.sdk.converters import Converter, is_scalar
from aether.sdk.define import Workflow
from aether.sdk.failures import failure_in, to_failure
from aether.sdk.steps import StepRules
from aether.sdk.waiters import OVER, Waiter

_MESSAGE_MAX: Final = 200

if TYPE_CHECKING:
    from aether.sdk.context import Context
    from aether.sdk.run import Run


async def outcome_of(
    workflow: Workflow[..., Any], context: "Context", payload: Payload, converter: Converter
) -> c.RunCommand:
    """Call the function. Never raises what the user's code raises."""
    arguments = workflow.arguments
    try:
        args = arguments.decode(converter, payload)
        value = await workflow.function(context, *args)
        place = f"the result of {arguments.subject}"
        result = converter.encode(value, place, arguments.returned)
        # What does not fit its annotation fails here, where the fault is, and not at whoever waits for it.
        if not is_scalar(value, arguments.returned):
            converter.decode(result, place, arguments.returned)
    except BaseException as error:
        if (failure := failure_in(error)) is None:
            raise
        return c.FailRun(to_failure(failure))
    return c.CompleteRun(result)


def how_it_ended(end: c.RunCommand) -> str:
    """For the sentence that says what code lacks that does not fit its history."""
    if not isinstance(end, c.FailRun):
        return "has ended"
    message = end.failure.message[:_MESSAGE_MAX]
    return f"has failed ({end.failure.type}{f': {message}' if message else ''})"


async def end_stray(run: "Run") -> c.FailRun | None:
    """The function is over, and a task that it had started, which no branch counts, is still in a call."""
    waiter = run.replay.root.waiter
    if waiter is None:
        return None
    if run.guard(run.replay.abandon, waiter):
        await run.wait_for_end(waiter)
    told = f"the workflow ended while a task of its own was in {waiter} at {waiter.path}; use ctx.nursery for it"
    return c.FailRun(to_failure(InvalidArgument(told)))


async def end_spawned(run: "Run") -> None:
    """Nothing that the run has begun outlives it, unless it was told to."""
    with run.shield():
        for waiter in list(run.replay.waiters.values()):
            if not run.is_dropped and _ends_with_its_run(waiter):
                run.guard(run.replay.give_up, waiter)
                if waiter.state is not OVER:
                    await run.join_call(waiter, run.replay.root)


def _ends_with_its_run(waiter: Waiter) -> bool:
    command = waiter.command
    return isinstance(command, c.StartChild) and command.parent_close_policy is ParentClosePolicy.CANCEL


async def compensate(run: "Run", end: c.RunCommand) -> c.RunCommand | None:
    """Undo what was done, the last first. Whatever fails in it joins the run's failure. None: the run is lost."""
    failures = []
    undo_path = run.replay.root.next_path()
    with run.shield():
        while run.compensations and not run.is_dropped:
            name, function, args = run.compensations.pop()
            try:
                await run.step(run.replay.root, name, function, StepRules(args))
            except BaseException as error:
                if (failure := failure_in(error)) is None:
                    raise
                failures.append(to_failure(failure))
    if run.is_dropped:
        return None
    assert isinstance(end, c.FailRun | c.CancelRun)
    if not failures:
        return evolve(end, undo_path=undo_path)
    first = (end.failure,) if isinstance(end, c.FailRun) else ()
    whole = Failure("ExceptionGroup", "compensations failed", causes=(*first, *failures), group=True)
    return c.FailRun(whole, undo_path)
