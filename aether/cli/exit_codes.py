"""What the exit code of a command means: the one table, which docs/command-line.md shows too."""

from enum import IntEnum

from aether import errors
from aether.model.runs import RunState


class NameNotFound(errors.AetherError):
    """Nothing has that name: no task queue, no worker."""


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    CONFLICT = 6
    TIMED_OUT = 7
    ANSWERED_NO = 8
    RUN_FAILED = 10
    RUN_CANCELLED = 11
    RUN_TIMED_OUT = 13
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "failed; the message says how",
    ExitCode.USAGE: "wrong options, arguments or settings",
    ExitCode.NOT_FOUND: "no run has that id, or no queue or worker that name",
    ExitCode.REFUSED: "refused: it is too large, or more than the server takes",
    ExitCode.UNREACHABLE: "no server answers, or it can not write right now; try again",
    ExitCode.CONFLICT: "the run is in no state for that: closed, or open with another input",
    ExitCode.TIMED_OUT: "no answer in time; whether it was done is not known",
    ExitCode.ANSWERED_NO: "asked whether to go on, somebody answered no",
    ExitCode.RUN_FAILED: "the run that was waited for failed",
    ExitCode.RUN_CANCELLED: "the run that was waited for was cancelled",
    ExitCode.RUN_TIMED_OUT: "the run that was waited for failed, for its time was over",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}

_BY_ERROR = (
    (errors.SettingsError, ExitCode.USAGE),
    (errors.InvalidArgument, ExitCode.USAGE),
    (errors.WorkflowNotFound, ExitCode.NOT_FOUND),
    (NameNotFound, ExitCode.NOT_FOUND),
    (errors.LimitExceeded, ExitCode.REFUSED),
    (errors.ServerUnavailable, ExitCode.UNREACHABLE),
    (errors.StorageUnavailable, ExitCode.UNREACHABLE),
    (errors.WorkflowAlreadyExists, ExitCode.CONFLICT),
    (errors.WorkflowClosed, ExitCode.CONFLICT),
    (errors.WorkflowFailed, ExitCode.RUN_FAILED),
    (errors.WorkflowCancelled, ExitCode.RUN_CANCELLED),
    (errors.DeadlineExceeded, ExitCode.TIMED_OUT),
)


# What the server ends a run with whose `run_timeout` is over.
TIMEOUT = "WorkflowTimeout"


def exit_code_of(error: errors.AetherError) -> ExitCode:
    """The code that a command ends with when it raises `error`."""
    if isinstance(error, errors.WorkflowFailed) and error.type == TIMEOUT:
        return ExitCode.RUN_TIMED_OUT
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILED)


def exit_code_of_run(state: int, failure_type: str) -> ExitCode:
    """The code that tells how a run ended."""
    if state == RunState.FAILED:
        return ExitCode.RUN_TIMED_OUT if failure_type == TIMEOUT else ExitCode.RUN_FAILED
    return ExitCode.RUN_CANCELLED if state == RunState.CANCELLED else ExitCode.OK
