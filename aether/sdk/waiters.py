"""What stands where in a run's code: branches, the calls that they wait in, and the calls that opened them."""

from collections.abc import Callable
from enum import Enum
from typing import Final

from attrs import define

from aether.model import commands as c
from aether.model.payload import Failure, Payload
from aether.sdk.meanings import Kind


class WaiterState(Enum):
    HELD = 1
    LIVE = 2
    STARTED = 3
    CANCELLING = 4
    BACKING_OFF = 5
    LEAVING = 6
    OVER = 7


HELD: Final = WaiterState.HELD
LIVE: Final = WaiterState.LIVE
STARTED: Final = WaiterState.STARTED
CANCELLING: Final = WaiterState.CANCELLING
BACKING_OFF: Final = WaiterState.BACKING_OFF
LEAVING: Final = WaiterState.LEAVING
OVER: Final = WaiterState.OVER


@define(eq=False)
class Branch:
    """A line of execution with numbers of its own: the workflow function, or one function given to `parallel`."""

    # "" for the workflow function, "3.1." for the first branch of call 3.
    prefix: str
    # Of the last fact that this branch was resumed with, which is what `ctx.now()` tells.
    clock: int = 0
    # Durable calls made so far.
    count: int = 0
    # Random numbers and uuids drawn since the last durable call.
    draws: int = 0
    waiter: "Waiter | None" = None
    has_begun: bool = False
    # Belongs to the shell: how it lets the branch begin.
    begin: Callable[[], None] | None = None

    def next_path(self) -> str:
        """Where the next durable call stands."""
        return f"{self.prefix}{self.count + 1}"


@define(eq=False)
class Waiter:
    """A durable call at rest. When it is OVER, `failure` or `result` is set, or `cancelled` (by somebody else)."""

    path: str
    kind: Kind
    name: str
    branch: Branch
    # What goes to the server when the call goes live; None for a step.
    command: c.RunCommand | None
    state: WaiterState = HELD
    attempt: int = 1
    result: Payload | None = None
    failure: Failure | None = None
    cancelled: bool = False
    # Of a step: its code was cancelled, and leaves when the step's outcome is recorded.
    is_aborted: bool = False
    # Of a step: what came of its attempt is on its way to the server.
    is_told: bool = False
    # Belongs to the shell: how it wakes whoever waits here, and what a step that it ran has returned or raised.
    wake: Callable[[], None] | None = None
    memo: tuple[object] | None = None
    cause: BaseException | None = None
    # Of a call that lets its branch go on as soon as it is recorded: the branch that waits for its end, if one does.
    is_detached: bool = False
    joined: Branch | None = None

    @property
    def goes_on_when_recorded(self) -> bool:
        return self.is_detached or self.kind in ("step", "value")

    def __str__(self) -> str:
        return describe(self.kind, self.name)


@define(eq=False)
class Fork:
    """A call that opened branches; its own branch is at rest while it waits for them."""

    path: str
    branch: Branch
    opened: int = 0
    running: int = 0
    is_joining: bool = False


def describe(kind: Kind, name: str) -> str:
    return f"{kind} {name!r}" if name else kind


def place_of(path: str) -> list[int]:
    """The path as numbers, by which those take their turns who could go on at the same time."""
    return [int(part) for part in path.split(".")]
