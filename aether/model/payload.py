"""Values of the user's, and what went wrong, as data."""

from typing import Final

from aether.model.frozen import frozen

RAW: Final = "bytes"
"""The encoding of a value that is bytes itself: as they are."""

UNREADABLE: Final = "HistoryUnreadable"
"""The type of the failure with which a run is blocked that its server can not read from disk."""


@frozen
class Payload:
    """Opaque bytes. `encoding` tells the SDK how they were made; empty means JSON in UTF-8."""

    data: bytes
    encoding: str = ""


@frozen
class Failure:
    """An exception that crossed a process.

    `causes` holds the cause of a single failure, or the members when `group` is set.
    `retry_after_ms` is the delay that the raiser asked for; 0 leaves it to the retry policy. `bases` are the names of
    the classes that the exception's class derives from, the nearest first.
    """

    type: str
    message: str
    traceback: str = ""
    causes: tuple["Failure", ...] = ()
    group: bool = False
    non_retryable: bool = False
    retry_after_ms: int = 0
    bases: tuple[str, ...] = ()


ABORTED: Final = Failure("Cancelled", "the code around it was cancelled")
"""What is recorded of a step whose code was cancelled: with its run, by a race that it lost, by a deadline."""

# Errors that workflow code meets when something of it has failed; the cause is what failed.
_SAYS_WHERE = frozenset({"StepFailed", "ActivityFailed", "ChildFailed", "PromiseFailed", "WorkflowFailed"})


def error_name(failure: Failure) -> str:
    """The class of what went wrong, and not of what says where: of the error in a step, an activity or a child."""
    if failure.type in _SAYS_WHERE and len(failure.causes) == 1:
        return error_name(failure.causes[0])
    if failure.group:
        names = {error_name(member) for member in failure.causes}
        return names.pop() if len(names) == 1 else failure.type
    return failure.type
