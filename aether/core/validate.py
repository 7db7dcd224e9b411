"""What may come in: sizes and forms of ids, names, payloads and failures, by `model/limits.py`."""

from __future__ import annotations

from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model.limits import Limits
from aether.model.payload import Failure, Payload


def check_name(limits: Limits, text: str, field: str, *, required: bool = True) -> None:
    """An id, a type or a queue: short, and of characters that can be seen."""
    if required and not text:
        raise InvalidArgument(f"{field} is empty", field=field)
    if len(text) > limits.name_max:
        raise InvalidArgument(f"{field} has {len(text)} characters; at most {limits.name_max}", field=field)
    if not text.isprintable():
        raise InvalidArgument(f"{field} has characters that can not be printed", field=field)


def check_payload(limits: Limits, payload: Payload, field: str) -> None:
    if len(payload.data) > limits.payload_max:
        raise LimitExceeded(f"{field} has {len(payload.data)} bytes; at most {limits.payload_max}")
    check_name(limits, payload.encoding, f"{field}.encoding", required=False)


def check_failure(limits: Limits, failure: Failure, field: str, depth: int = 1) -> None:
    check_name(limits, failure.type, f"{field}.type")
    for text, name in ((failure.message, "message"), (failure.traceback, "traceback")):
        if len(text) > limits.failure_text_max:
            raise LimitExceeded(f"{field}.{name} has {len(text)} characters; at most {limits.failure_text_max}")
    if depth > limits.failure_depth_max:
        raise LimitExceeded(f"{field} is nested deeper than {limits.failure_depth_max}")
    if len(failure.causes) > limits.failure_causes_max:
        raise LimitExceeded(f"{field}.causes has {len(failure.causes)} members; at most {limits.failure_causes_max}")
    for cause in failure.causes:
        check_failure(limits, cause, f"{field}.causes", depth + 1)


def check_path(limits: Limits, path: str) -> None:
    """Numbers from 1, joined by dots."""
    if len(path) > limits.path_max:
        raise InvalidArgument(f"path has {len(path)} characters; at most {limits.path_max}", field="path")
    # A plain number is by far the most frequent path.
    if not (path.isdecimal() or all(part.isdecimal() for part in path.split("."))) or not path.isascii():
        raise InvalidArgument(f"path {path!r} is not a list of numbers joined by dots", field="path")


def check_command(limits: Limits, command: c.Command) -> None:
    """Raises InvalidArgument or LimitExceeded."""
    if isinstance(command, c.RecordStep):
        check_path(limits, command.path)
        check_name(limits, command.name, "name")
        if (command.result is None) == (command.failure is None):
            raise InvalidArgument("exactly one of result and failure must be set", field="result")
    elif isinstance(command, c.StartTimer):
        check_path(limits, command.path)
        if command.delay_ms > limits.delay_max_ms:
            raise InvalidArgument(f"delay_ms is above {limits.delay_max_ms}, ten years", field="delay_ms")
    elif isinstance(command, c.ScheduleActivity):
        _check_schedule(limits, command)
    elif isinstance(command, c.StartChild):
        check_path(limits, command.path)
        check_name(limits, command.workflow_type, "workflow_type")
        check_name(limits, command.workflow_id, "workflow_id", required=False)
        check_name(limits, command.task_queue, "task_queue", required=False)
        check_payload(limits, command.input, "input")
    elif isinstance(command, c.CancelPending):
        check_path(limits, command.path)
    elif isinstance(command, c.CancelRun):
        check_name(limits, command.reason, "reason", required=False)
    _check_outcome(limits, command)


def _check_schedule(limits: Limits, command: c.ScheduleActivity) -> None:
    check_path(limits, command.path)
    check_name(limits, command.activity_type, "activity_type")
    check_name(limits, command.task_queue, "task_queue", required=False)
    check_payload(limits, command.input, "input")
    if len(command.retry.non_retryable) > limits.non_retryable_max:
        raise LimitExceeded(
            f"non_retryable has {len(command.retry.non_retryable)} names; at most {limits.non_retryable_max}"
        )
    for name in command.retry.non_retryable:
        check_name(limits, name, "non_retryable")
    bounds = command.timeouts
    longest_s = max(
        bounds.schedule_to_start_s,
        bounds.start_to_close_s,
        bounds.schedule_to_close_s,
        bounds.heartbeat_s,
        command.retry.initial_s,
        command.retry.maximum_s,
    )
    if longest_s * 1000 > limits.delay_max_ms:
        raise InvalidArgument(f"a duration of {longest_s:g} s is above ten years", field="timeouts")


def _check_outcome(limits: Limits, command: c.Command) -> None:
    match command:
        case c.RecordStep(result=Payload() as payload) | c.CompleteRun(result=payload):
            check_payload(limits, payload, "result")
        case c.CompleteActivity(result=payload):
            check_payload(limits, payload, "result")
        case c.RecordStep(failure=Failure() as failure) | c.FailRun(failure=failure) | c.BlockRun(failure=failure):
            check_failure(limits, failure, "failure")
        case c.FailActivity(failure=failure):
            check_failure(limits, failure, "failure")
            if failure.retry_after_ms > limits.delay_max_ms:
                raise InvalidArgument("retry_after_ms is above ten years", field="retry_after_ms")
        case _:
            pass
