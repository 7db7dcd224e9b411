"""What changes something: for each its key, what it is called, what it will do, and what it asks before.

Keys of actions are capital letters, and nothing else is.
"""

import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Final

from attrs import frozen

from aether import Client, Handle


@frozen
class Queue:
    """A task queue of a server, for actions."""

    client: Client
    name: str


class Of(StrEnum):
    """Which runs an action can be about."""

    OPEN = "open"
    CLOSED = "closed"
    ANY = "any"


@frozen
class Question:
    """`check` says what is wrong with an answer, or nothing.

    It begins with the event that is selected (`is_event`), or with the signal that the run waits for (`is_signal`).
    """

    asks: str
    check: Callable[[str], str] = lambda answer: ""
    is_event: bool = False
    is_signal: bool = False


@frozen
class Action:
    """`perform` gives back what there is to tell of it, or nothing. What has no key is meant by that of another."""

    key: str
    name: str
    # For the list of keys.
    says: str
    # What will happen, told before it does.
    effect: str
    perform: Callable[[Any, tuple[str, ...]], Awaitable[str]]
    questions: tuple[Question, ...] = ()
    of: Of = Of.OPEN
    # Can not be undone or softened: wants the end of the id typed.
    is_grave: bool = False
    # About one run that is open on the screen, and never about many.
    is_single: bool = False
    # About a task queue.
    is_of_queue: bool = False


def _is_name(answer: str) -> str:
    return "" if answer.strip() else "a signal has a name"


def _value(answer: str) -> Any:
    """What JSON says, and not what Python alone takes for it."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not known there")

    return json.loads(answer or "null", parse_constant=refuse)


def _is_json(answer: str) -> str:
    try:
        _value(answer)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return ""


def _is_event(answer: str) -> str:
    return "" if answer.isdecimal() and int(answer[:12]) > 0 else "events are numbered from 1"


async def _cancel(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    await handle.cancel("asked from aether top")
    return ""


async def _end(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    await handle.cancel("ended from aether top", force=True)
    return ""


async def _signal(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    name, value = answers
    await handle.signal(name.strip(), _value(value))
    return ""


async def _pause(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    await handle.pause("paused from aether top")
    return ""


async def _resume(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    await handle.resume()
    return ""


async def _pause_queue(queue: Queue, answers: tuple[str, ...]) -> str:
    await queue.client.update_queue(queue.name, paused=True, reason="paused from aether top")
    return ""


async def _resume_queue(queue: Queue, answers: tuple[str, ...]) -> str:
    await queue.client.update_queue(queue.name, paused=False)
    return ""


async def _limit_queue(queue: Queue, answers: tuple[str, ...]) -> str:
    limit = (await queue.client.update_queue(queue.name, activity_limit=int(answers[0]))).activity_limit
    if not limit:
        return "no limit"
    return f"at most {limit} {'activity' if limit == 1 else 'activities'} at a time"


def _is_limit(answer: str) -> str:
    is_right = answer.isdecimal() and len(answer) < 7 and int(answer) <= _LIMIT_MAX
    return "" if is_right else f"a number from 0 to {_LIMIT_MAX:,}"


async def _retry(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    return f"goes on as run {(await handle.retry()).run_id}"


async def _fork(handle: Handle[Any], answers: tuple[str, ...]) -> str:
    at, workflow_id = answers
    made = await handle.fork(at=int(at), workflow_id=workflow_id.strip())
    return f"the fork is {made.workflow_id}"


_LIMIT_MAX: Final = 100_000
ACTIONS: Final = {
    "cancel": Action(
        "C",
        "cancel",
        "ask the run to stop; it may clean up",
        "asks it to stop: its code is cancelled where it waits and may clean up, its children first",
        _cancel,
    ),
    "end": Action(
        "X",
        "end at once",
        "end the run, without cleaning up",
        "ends it now: its code is not asked and does not clean up",
        _end,
        is_grave=True,
    ),
    "signal": Action(
        "S",
        "signal",
        "send the run a message",
        "sends it a message, which its code takes when it asks for one of that name",
        _signal,
        (
            Question("name of the signal", _is_name, is_signal=True),
            Question("its value, as JSON (nothing: null)", _is_json),
        ),
    ),
    "pause": Action(
        "P",
        "pause",
        "hold the run where it is; if it is paused, let it go on",
        "holds it: no worker gets it and no attempt of its activities begins; what is under way may finish",
        _pause,
    ),
    "resume": Action("", "go on", "let a paused run go on", "lets it go on from where it was paused", _resume),
    "pause-queue": Action(
        "P",
        "pause",
        "let the queue hand out nothing; if it is paused, let it go on",
        "hands out nothing more, no runs and no attempts of activities, until somebody lets it go on; what workers "
        "have in hand goes on",
        _pause_queue,
        is_of_queue=True,
    ),
    "resume-queue": Action(
        "", "go on", "let a paused queue go on", "hands out again what waits in it", _resume_queue, is_of_queue=True
    ),
    "limit-queue": Action(
        "L",
        "limit",
        "limit how many activities of the queue go on at a time",
        "lets its workers together have at most so many attempts of activities at a time; what they have in hand goes "
        "on",
        _limit_queue,
        (Question("attempts at a time (0: no limit)", _is_limit),),
        is_of_queue=True,
    ),
    "retry": Action(
        "R",
        "retry",
        "go on with a run that failed or was cancelled",
        "makes a new run of the same id, which goes on behind the last event before the failure; what was recorded by "
        "then is not done again",
        _retry,
        of=Of.CLOSED,
    ),
    "fork": Action(
        "F",
        "fork",
        "fork the run at the selected event or row",
        "makes a new run that shares the history up to that event and goes on from there; this one stays as it is",
        _fork,
        (
            Question("last event that both share", _is_event, is_event=True),
            Question("id of the new run (nothing: made up)"),
        ),
        of=Of.ANY,
        is_single=True,
    ),
}
