"""One attempt of an activity: an async function in a task, a plain one in a thread; its heartbeats and its cancelling.

`heartbeat`, `activity_info` and `cancelled` are what an activity's code may call, from the event loop or from a thread.

Code may call `heartbeat` as often as it likes. The first one goes out at once; while others come, a task of the session
looks every `beat_interval_s` and sends the newest. What is left when the code ends goes out before its outcome. Between
the code's thread and that task there are one field and one flag, under a lock: whoever sets the details while nobody
looks has to call for somebody who does.
"""

import threading
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import anyio
import anyio.from_thread
import anyio.lowlevel
from attrs import frozen

from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Payload
from aether.sdk.converters import Converter
from aether.sdk.define import Activity
from aether.sdk.failures import failure_in, to_failure
from aether.sdk.steps import Lane
from aether.sdk.traces import enter
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.values import payload_from_proto

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Between two messages of one attempt; a heartbeat timeout that is short has it told more often.
_BEAT_S: Final = 0.5
_BEATS_PER_TIMEOUT: Final = 4
_ATTEMPT: ContextVar["Attempt | None"] = ContextVar("aether_attempt", default=None)


@frozen
class ActivityInfo:
    """What an activity may know about the attempt it is."""

    workflow_id: str
    run_id: str
    # Where the workflow asked for it.
    path: str
    activity_type: str
    # From 1.
    attempt: int
    # What earlier attempts told last with `heartbeat`; None if they told nothing.
    last_heartbeat: Any
    # When the workflow asked for it.
    scheduled_at: datetime
    # The span of this attempt, as in W3C Trace Context, for what it calls; empty if nobody traces the run.
    # What OpenTelemetry calls the current span is this one.
    traceparent: str = ""


class Port(Protocol):
    """What an attempt needs of the session that holds it."""

    converter: Converter
    attempts: Lane

    def beat(self, token: int, details: Payload) -> None: ...

    def watch(self, attempt: "Attempt") -> None:
        """Send what `take_beat` gives, now and every `beat_interval_s` until it gives None."""

    def finish(self, token: int, command: c.ActivityCommand) -> None: ...


class Attempt:
    """Executes one lease of one activity."""

    info: ActivityInfo

    def __init__(self, port: Port, token: int, activity: Activity[..., Any], task: pb.ActivityTask) -> None:
        self.token = token
        self.activity = activity
        # The server, or whoever owns the session, wants it to stop.
        self.is_cancelled = False
        self._is_revoked = False
        self._port = port
        self._task = task
        self._scope = anyio.CancelScope()
        self._thread: Final = threading.get_ident()
        self._loop: Final = anyio.lowlevel.current_token()
        self._lock: Final = threading.Lock()
        self._unsent: Payload | None = None
        self._is_watched = False
        timeout_ms = task.timeouts.heartbeat_ms
        self.beat_interval_s: Final = min(_BEAT_S, timeout_ms / 1000 / _BEATS_PER_TIMEOUT or _BEAT_S)

    async def main(self) -> None:
        """The attempt's task. Never raises what the user's code raises."""
        command: c.ActivityCommand = c.CancelActivity()
        _ATTEMPT.set(self)
        # For good: the task ends with the attempt.
        enter(self._task.traceparent)
        with self._scope:
            command = await self._call()
        if not self._is_revoked:
            last = self.take_beat()
            if last is not None:
                self._port.beat(self.token, last)
            self._port.finish(self.token, command)

    async def _call(self) -> c.ActivityCommand:
        arguments, converter = self.activity.arguments, self._port.converter
        try:
            self.info = self._read_info()
            args = arguments.decode(converter, payload_from_proto(self._task.input))
            if self.activity.is_async:
                value = await self.activity.function(*args)
            else:
                value = await self._port.attempts.call(partial(self.activity.function, *args))
            return c.CompleteActivity(converter.encode(value, f"the result of {arguments.subject}", arguments.returned))
        except BaseException as error:
            if (failure := failure_in(error)) is None:
                raise
            return c.FailActivity(to_failure(failure))

    def _read_info(self) -> ActivityInfo:
        task, last = self._task, None
        if task.HasField("last_heartbeat"):
            place = f"the last heartbeat of {self.activity.arguments.subject}"
            last = self._port.converter.decode(payload_from_proto(task.last_heartbeat), place)
        return ActivityInfo(
            task.workflow_id,
            task.run_id,
            task.path,
            task.activity_type,
            task.attempt,
            last,
            _EPOCH + timedelta(microseconds=task.scheduled_at_us),
            task.traceparent,
        )

    def cancel(self) -> None:
        """Stop, and say so. A thread can not be stopped: its code may ask `aether.cancelled()`."""
        self.is_cancelled = True
        self._scope.cancel()

    def revoke(self) -> None:
        """Stop, and say nothing: the attempt is somebody else's."""
        self._is_revoked = True
        self.cancel()

    def heartbeat(self, details: object) -> None:
        subject, longest = self.activity.arguments.subject, DEFAULT_LIMITS.heartbeat_max
        payload = self._port.converter.encode(details, f"the heartbeat of {subject}")
        if len(payload.data) > longest:
            raise LimitExceeded(f"the heartbeat of {subject} is {len(payload.data):,} bytes; at most {longest:,}")
        with self._lock:
            self._unsent = payload
            if self._is_watched:
                return
            self._is_watched = True
        if threading.get_ident() == self._thread:
            self._port.watch(self)
        else:
            # By the token: without it, Trio raises Cancelled in the thread of an attempt that is to stop.
            anyio.from_thread.run_sync(self._port.watch, self, token=self._loop)

    def take_beat(self) -> Payload | None:
        """The newest details that were not taken yet. None: there are none, and the next ones call for `watch` anew."""
        with self._lock:
            details, self._unsent = self._unsent, None
            self._is_watched = details is not None
        return details


def heartbeat(details: object = None) -> None:
    """Tell the server that this attempt is alive. `details` can be read by whoever looks, and by the next attempt.

    Call it as often as you like: at most a few messages a second are sent, with the newest details.

    Raises:
        InvalidArgument: Not called by an activity, or `details` can not be encoded.
        LimitExceeded: `details` has more than 256 KB.

    """
    _attempt("heartbeat").heartbeat(details)


def activity_info() -> ActivityInfo:
    """About the attempt whose code calls this. Raises `InvalidArgument` elsewhere."""
    return _attempt("activity_info").info


def cancelled() -> bool:
    """Whether this attempt is to stop. For plain functions: async ones are cancelled where they wait."""
    return _attempt("cancelled").is_cancelled


def _attempt(what: str) -> Attempt:
    attempt = _ATTEMPT.get()
    if attempt is None:
        raise InvalidArgument(f"aether.{what}() was called outside of an activity")
    return attempt
