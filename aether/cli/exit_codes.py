"""What the exit code of a command means: the one table, which docs/command-line.md shows too."""

from enum import IntEnum

from aether import errors


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    CONFLICT = 5
    TIMED_OUT = 6
    RUN_FAILED = 10
    RUN_CANCELLED = 11
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "failed; the message says how",
    ExitCode.USAGE: "wrong options, arguments or settings",
    ExitCode.NOT_FOUND: "no run has that id",
    ExitCode.UNREACHABLE: "no server answers, or it can not write right now; try again",
    ExitCode.CONFLICT: "the run is in no state for that: closed, or open with another input",
    ExitCode.TIMED_OUT: "no answer in time; whether it was done is not known",
    ExitCode.RUN_FAILED: "the run that was waited for failed",
    ExitCode.RUN_CANCELLED: "the run that was waited for was cancelled",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}

_BY_ERROR = (
    (errors.SettingsError, ExitCode.USAGE),
    (errors.InvalidArgument, ExitCode.USAGE),
    (errors.WorkflowNotFound, ExitCode.NOT_FOUND),
    (errors.ServerUnavailable, ExitCode.UNREACHABLE),
    (errors.StorageUnavailable, ExitCode.UNREACHABLE),
    (errors.WorkflowAlreadyExists, ExitCode.CONFLICT),
    (errors.WorkflowClosed, ExitCode.CONFLICT),
    (errors.WorkflowFailed, ExitCode.RUN_FAILED),
    (errors.WorkflowCancelled, ExitCode.RUN_CANCELLED),
    (errors.DeadlineExceeded, ExitCode.TIMED_OUT),
)


def exit_code_of(error: errors.AetherError) -> ExitCode:
    """The code that a command ends with when it raises `error`."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILED)
