"""Every public exception: what happened, to which id, whose fault it is, and whether asking again can help.

AetherError
├─ InvalidArgument            the caller's request is wrong; says which field
├─ LimitExceeded              the caller's request is too large, or a run outgrew a limit
├─ WorkflowNotFound           no run has that id
├─ WorkflowAlreadyExists      another run with that id is open, of another type or with another input
├─ WorkflowClosed             the run is closed, so it can not be changed any more
├─ StaleLease                 the task belongs to somebody else by now
├─ SessionExpired             the worker was silent for too long; it must register again
├─ ServerUnavailable          nobody answers at that address, or the server is stopping           retryable
├─ StorageUnavailable         the server can not write right now (a full disk, mostly)            retryable
├─ DeadlineExceeded           the answer did not come in time; the request may have been done     retryable
├─ ServerFault                a defect of the server
├─ SettingsError              settings or command-line options are wrong; lists every fault
├─ NonDeterminism             workflow code does not fit its history; names both sides
└─ RunError                   what became of a run, a step, an activity or a child
   ├─ WorkflowFailed          the run ended as FAILED
   ├─ WorkflowCancelled       the run ended as CANCELLED
   ├─ StepFailed              a step raised; the original type name, message and traceback are in `failure`
   ├─ ActivityFailed          an activity failed for good
   ├─ ChildFailed             a child run failed
   ├─ PromiseFailed           somebody completed a promise with a failure
   └─ ChildCancelled          a child run was cancelled

A user's own exception may derive from `NonRetryable`, or be raised as `RetryAfter(seconds)`, to steer retries.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from aether.model.payload import Failure


class AetherError(Exception):
    """Base of everything that Aether raises on purpose."""

    is_retryable: ClassVar[bool] = False


class InvalidArgument(AetherError):
    """A request is wrong. `field` names the field of it, as the protos spell it."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class LimitExceeded(AetherError):
    """Something is larger than its bound in `aether.model.limits`."""


class WorkflowNotFound(AetherError):
    """No run has that id."""


class WorkflowAlreadyExists(AetherError):
    """The id has an open run of another type or with another input."""


class WorkflowClosed(AetherError):
    """The run is closed."""


class StaleLease(AetherError):
    """The lease named by the fencing token is over; nothing was changed."""


class SessionExpired(AetherError):
    """The worker session is over; register again."""


class ServerUnavailable(AetherError):
    """No server answers, or it is going away."""

    is_retryable = True


class StorageUnavailable(AetherError):
    """The server is there and can not write."""

    is_retryable = True


class DeadlineExceeded(AetherError):
    """The deadline passed first; whether the request was done is not known."""

    is_retryable = True


class ServerFault(AetherError):
    """The server failed in a way it did not foresee."""


class SettingsError(AetherError):
    """Settings are wrong. `faults` has one line for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class NonDeterminism(AetherError):
    """Workflow code asked for something else than its history holds at the same path."""


class RunError(AetherError):
    """Something that ran did not end well. `failure` holds the whole chain as data."""

    def __init__(self, message: str, failure: "Failure | None" = None) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def type(self) -> str:
        """Class name of the original exception, without its module."""
        return self.failure.type if self.failure else ""

    @property
    def traceback(self) -> str:
        """The original traceback as text, for people."""
        return self.failure.traceback if self.failure else ""


class WorkflowFailed(RunError):
    """A run ended as FAILED."""


class WorkflowCancelled(RunError):
    """A run ended as CANCELLED."""


class StepFailed(RunError):
    """A step of this workflow raised."""


class ActivityFailed(RunError):
    """An activity of this workflow failed for good."""


class ChildFailed(RunError):
    """A child of this workflow failed."""


class PromiseFailed(RunError):
    """A promise of this workflow was completed with a failure."""


class ChildCancelled(RunError):
    """A child of this workflow was cancelled."""


class NonRetryable(Exception):
    """Base for exceptions of the user's that no retry can cure."""


class RetryAfter(Exception):
    """Raised by an activity, or by a step with a retry policy: try again in `delay_s` seconds, at most ten years.

    It takes the place of the policy's delay, also above its maximum; attempts are counted as ever.
    """

    def __init__(self, delay_s: float, message: str = "") -> None:
        # Written so that what is no number at all is refused too.
        if not delay_s >= 0:
            raise InvalidArgument(f"RetryAfter: the delay must be 0 seconds or more, not {delay_s}", field="delay_s")
        super().__init__(message or f"asks for {delay_s} s")
        self.delay_s = delay_s
