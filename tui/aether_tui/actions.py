"""What changes something: for each its key, what it is called, what it will do, and what it asks before.

Keys of actions are capital letters, and nothing else is.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import frozen

from aether import Handle


@frozen
class Question:
    """`check` says what is wrong with an answer, or nothing."""

    asks: str
    check: Callable[[str], str] = lambda answer: ""


@frozen
class Action:
    key: str
    name: str
    # For the list of keys.
    says: str
    # What will happen, told before it does.
    effect: str
    perform: Callable[[Handle[Any], tuple[str, ...]], Awaitable[None]]
    questions: tuple[Question, ...] = ()
    # Can not be undone or softened: wants the end of the id typed.
    is_grave: bool = False


def _is_name(answer: str) -> str:
    return "" if answer.strip() else "a signal has a name"


def _is_json(answer: str) -> str:
    try:
        json.loads(answer or "null")
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return ""


async def _cancel(handle: Handle[Any], answers: tuple[str, ...]) -> None:
    await handle.cancel("asked from aether top")


async def _end(handle: Handle[Any], answers: tuple[str, ...]) -> None:
    await handle.cancel("ended from aether top", force=True)


async def _signal(handle: Handle[Any], answers: tuple[str, ...]) -> None:
    name, value = answers
    await handle.signal(name.strip(), json.loads(value or "null"))


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
        (Question("name of the signal", _is_name), Question("its value, as JSON (nothing: null)", _is_json)),
    ),
}
