"""What may come in: sizes and forms of ids, names, payloads and failures, by `model/limits.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model.events import AwaitedSignal
from aether.model.limits import Limits
from aether.model.payload import Failure, Payload
from aether.model.policy import ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels


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
    check_delay(limits, failure.retry_after_ms, "retry_after_ms")
    if len(failure.bases) > limits.failure_causes_max:
        raise LimitExceeded(f"{field}.bases has {len(failure.bases)} names; at most {limits.failure_causes_max}")
    for base in failure.bases:
        check_name(limits, base, f"{field}.bases")
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


def check_awaits(limits: Limits, awaits: Sequence[AwaitedSignal]) -> None:
    """The signals that a run waits for."""
    if len(awaits) > limits.awaits_max:
        raise InvalidArgument(f"awaits has {len(awaits)} signals; at most {limits.awaits_max}", field="awaits")
    for awaited in awaits:
        check_path(limits, awaited.path)
        check_name(limits, awaited.name, "awaits")


def check_delay(limits: Limits, delay_ms: int, field: str) -> None:
    if delay_ms > limits.delay_max_ms:
        raise InvalidArgument(f"{field} is above {limits.delay_max_ms}, ten years", field=field)


def check_labels(limits: Limits, labels: Mapping[str, str], field: str, count_max: int) -> None:
    if len(labels) > count_max:
        raise LimitExceeded(f"{field} has {len(labels)} entries; at most {count_max}")
    for key, value in labels.items():
        check_name(limits, key, field)
        check_name(limits, value, field, required=False)


def check_required(limits: Limits, labels: Labels) -> None:
    """What a task wants of its worker."""
    if labels:
        check_labels(limits, dict(labels), "labels", limits.labels_max)


def check_concurrency(limits: Limits, limit: ConcurrencyLimit | None) -> None:
    if limit is not None:
        check_name(limits, limit.key, "concurrency.key")


def check_command(limits: Limits, command: c.Command) -> None:
    """Raises InvalidArgument or LimitExceeded."""
    _CHECKS[type(command)](limits, command)


def _check_record(limits: Limits, command: c.RecordStep) -> None:
    check_path(limits, command.path)
    check_name(limits, command.name, "name")
    if (command.result is None) == (command.failure is None):
        raise InvalidArgument("exactly one of result and failure must be set", field="result")
    if command.result is not None:
        check_payload(limits, command.result, "result")
    if command.failure is not None:
        check_failure(limits, command.failure, "failure")


def _check_fail_step(limits: Limits, command: c.FailStep) -> None:
    check_path(limits, command.path)
    check_name(limits, command.name, "name")
    check_failure(limits, command.failure, "failure")
    _check_retry(limits, command.retry)


def _check_timer(limits: Limits, command: c.StartTimer) -> None:
    check_path(limits, command.path)
    check_delay(limits, command.delay_ms, "delay_ms")


def _check_child(limits: Limits, command: c.StartChild) -> None:
    check_path(limits, command.path)
    check_name(limits, command.workflow_type, "workflow_type")
    check_name(limits, command.workflow_id, "workflow_id", required=False)
    check_name(limits, command.task_queue, "task_queue", required=False)
    check_payload(limits, command.input, "input")
    check_required(limits, command.labels)
    check_concurrency(limits, command.concurrency)


def _check_promise(limits: Limits, command: c.CreatePromise) -> None:
    check_path(limits, command.path)
    check_name(limits, command.name, "name")
    check_delay(limits, command.timeout_ms, "timeout_ms")


def _check_publish(limits: Limits, command: c.PublishValue) -> None:
    check_path(limits, command.path)
    check_name(limits, command.key, "key")
    check_payload(limits, command.value, "value")


def _check_cancel_pending(limits: Limits, command: c.CancelPending) -> None:
    check_path(limits, command.path)


def _check_cancel(limits: Limits, command: c.CancelRun) -> None:
    check_name(limits, command.reason, "reason", required=False)
    _check_undo(limits, command.undo_path)


def _check_undo(limits: Limits, path: str) -> None:
    if path:
        check_path(limits, path)


def _check_result(limits: Limits, command: c.CompleteRun | c.CompleteActivity) -> None:
    check_payload(limits, command.result, "result")


def _check_failed(limits: Limits, command: c.BlockRun | c.FailActivity) -> None:
    check_failure(limits, command.failure, "failure")


def _check_fail_run(limits: Limits, command: c.FailRun) -> None:
    check_failure(limits, command.failure, "failure")
    _check_undo(limits, command.undo_path)


def _check_nothing(limits: Limits, command: c.CancelActivity) -> None:
    """It has no fields."""


def _check_schedule(limits: Limits, command: c.ScheduleActivity) -> None:
    check_path(limits, command.path)
    check_name(limits, command.activity_type, "activity_type")
    check_name(limits, command.task_queue, "task_queue", required=False)
    check_payload(limits, command.input, "input")
    _check_retry(limits, command.retry)
    check_required(limits, command.labels)
    check_concurrency(limits, command.concurrency)
    bounds = command.timeouts
    longest_s = max(
        bounds.schedule_to_start_s,
        bounds.start_to_close_s,
        bounds.schedule_to_close_s,
        bounds.heartbeat_s,
    )
    if longest_s * 1000 > limits.delay_max_ms:
        raise InvalidArgument(f"a bound of {longest_s:g} s is above ten years", field="timeouts")


def _check_retry(limits: Limits, retry: RetryPolicy) -> None:
    if len(retry.non_retryable) > limits.non_retryable_max:
        raise LimitExceeded(f"non_retryable has {len(retry.non_retryable)} names; at most {limits.non_retryable_max}")
    for name in retry.non_retryable:
        check_name(limits, name, "non_retryable")
    longest_s = max(retry.initial_s, retry.maximum_s)
    if longest_s * 1000 > limits.delay_max_ms:
        raise InvalidArgument(f"a delay of {longest_s:g} s is above ten years", field="retry")


_CHECKS: dict[type, Callable[[Limits, c.Command], None]] = {
    c.RecordStep: _check_record,  # type: ignore[dict-item]
    c.FailStep: _check_fail_step,  # type: ignore[dict-item]
    c.StartTimer: _check_timer,  # type: ignore[dict-item]
    c.ScheduleActivity: _check_schedule,  # type: ignore[dict-item]
    c.StartChild: _check_child,  # type: ignore[dict-item]
    c.CreatePromise: _check_promise,  # type: ignore[dict-item]
    c.PublishValue: _check_publish,  # type: ignore[dict-item]
    c.CancelPending: _check_cancel_pending,  # type: ignore[dict-item]
    c.CancelRun: _check_cancel,  # type: ignore[dict-item]
    c.CompleteRun: _check_result,  # type: ignore[dict-item]
    c.CompleteActivity: _check_result,  # type: ignore[dict-item]
    c.FailRun: _check_fail_run,  # type: ignore[dict-item]
    c.BlockRun: _check_failed,  # type: ignore[dict-item]
    c.FailActivity: _check_failed,  # type: ignore[dict-item]
    c.CancelActivity: _check_nothing,  # type: ignore[dict-item]
}
