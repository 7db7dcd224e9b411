"""Protobuf messages of values to model classes and back: payloads, failures, policies, tags."""

from collections.abc import Iterable, Mapping
from sys import intern

from aether.errors import InvalidArgument
from aether.model.events import AwaitedSignal
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.wire.generated.aether.v1 import model_pb2 as pb


def payload_to_proto(payload: Payload) -> pb.Payload:
    return pb.Payload(data=payload.data, encoding=payload.encoding)


def payload_from_proto(message: pb.Payload) -> Payload:
    return Payload(message.data, message.encoding)


def awaits_from_proto(messages: Iterable[pb.AwaitedSignal]) -> tuple[AwaitedSignal, ...]:
    return tuple([AwaitedSignal(message.path, message.name) for message in messages])


def failure_to_proto(failure: Failure) -> pb.Failure:
    return pb.Failure(
        type=failure.type,
        message=failure.message,
        traceback=failure.traceback,
        causes=[failure_to_proto(cause) for cause in failure.causes],
        group=failure.group,
        non_retryable=failure.non_retryable,
        retry_after_ms=failure.retry_after_ms,
        bases=failure.bases,
    )


def failure_from_proto(message: pb.Failure) -> Failure:
    return Failure(
        message.type,
        message.message,
        message.traceback,
        tuple(failure_from_proto(cause) for cause in message.causes),
        message.group,
        message.non_retryable,
        message.retry_after_ms,
        tuple(message.bases),
    )


def _ms(seconds: float) -> int:
    """Rounded up, so that a bound that is set never becomes "none"; exact for what milliseconds came from."""
    # By way of microseconds, because `ms / 1000 * 1000` is a little more than `ms` for one number in a hundred.
    return -(-round(seconds * 1_000_000) // 1000) or int(seconds > 0)


def retry_to_proto(policy: RetryPolicy) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        initial_ms=_ms(policy.initial_s),
        factor=policy.factor,
        maximum_ms=_ms(policy.maximum_s),
        jitter=policy.jitter,
        max_attempts=policy.max_attempts,
        non_retryable=policy.non_retryable,
    )


def retry_from_proto(message: pb.RetryPolicy) -> RetryPolicy:
    """An absent policy is the default one; `factor` 0 (absent) is the default factor."""
    try:
        return RetryPolicy(
            message.initial_ms / 1000,
            message.factor or DEFAULT_RETRY.factor,
            message.maximum_ms / 1000,
            message.jitter,
            message.max_attempts,
            tuple(message.non_retryable),
        )
    except ValueError as error:
        raise InvalidArgument(f"retry policy: {error.args[0]}", field="retry") from None


def concurrency_to_proto(limit: ConcurrencyLimit) -> pb.ConcurrencyLimit:
    return pb.ConcurrencyLimit(key=limit.key, limit=limit.limit)


def concurrency_from_proto(message: pb.ConcurrencyLimit) -> ConcurrencyLimit:
    if not message.limit:
        raise InvalidArgument("the limit of a concurrency key must be at least 1", field="concurrency.limit")
    return ConcurrencyLimit(message.key, message.limit)


def timeouts_to_proto(timeouts: ActivityTimeouts) -> pb.ActivityTimeouts:
    return pb.ActivityTimeouts(
        schedule_to_start_ms=_ms(timeouts.schedule_to_start_s),
        start_to_close_ms=_ms(timeouts.start_to_close_s),
        schedule_to_close_ms=_ms(timeouts.schedule_to_close_s),
        heartbeat_ms=_ms(timeouts.heartbeat_s),
    )


def timeouts_from_proto(message: pb.ActivityTimeouts) -> ActivityTimeouts:
    return ActivityTimeouts(
        message.schedule_to_start_ms / 1000,
        message.start_to_close_ms / 1000,
        message.schedule_to_close_ms / 1000,
        message.heartbeat_ms / 1000,
    )


def policy_from_proto(number: int) -> ParentClosePolicy:
    try:
        return ParentClosePolicy(number or ParentClosePolicy.CANCEL)
    except ValueError:
        raise InvalidArgument(f"{number} is no parent close policy", field="parent_close_policy") from None


def tags_from_proto(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """In the order of the keys: a map of protobuf has none. Keys are few, and kept once for all runs."""
    return tuple([(intern(key), tags[key]) for key in sorted(tags)])


def memo_from_proto(memo: Mapping[str, pb.Payload]) -> tuple[tuple[str, Payload], ...]:
    return tuple((key, payload_from_proto(memo[key])) for key in sorted(memo))
