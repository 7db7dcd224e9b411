"""Aether: durable workflows in plain Python.

Everything that users need is here; it is imported when it is first used, so that `import aether` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aether.errors import (
        ActivityFailed,
        AetherError,
        ChildCancelled,
        ChildFailed,
        DeadlineExceeded,
        InvalidArgument,
        LimitExceeded,
        NonDeterminism,
        NonRetryable,
        PromiseFailed,
        RetryAfter,
        RunError,
        ServerFault,
        ServerUnavailable,
        SessionExpired,
        SettingsError,
        StaleLease,
        StepFailed,
        StorageUnavailable,
        WorkflowAlreadyExists,
        WorkflowCancelled,
        WorkflowClosed,
        WorkflowFailed,
        WorkflowNotFound,
    )
    from aether.model.events import Event
    from aether.model.payload import Failure, Payload
    from aether.model.policy import ActivityTimeouts, RetryPolicy
    from aether.model.runs import RunState
    from aether.sdk.branches import Deadline, Nursery
    from aether.sdk.client import Client
    from aether.sdk.concurrency import Concurrency
    from aether.sdk.context import Context
    from aether.sdk.converters import Codec
    from aether.sdk.define import Activity, Workflow
    from aether.sdk.detached import Promise, Spawned
    from aether.sdk.events import LoggedEvent
    from aether.sdk.execute import ActivityInfo, activity_info, cancelled, heartbeat
    from aether.sdk.handle import Handle
    from aether.sdk.metrics import (
        Latency,
        Metrics,
        OpenRuns,
        Problem,
        QueueDepth,
        QueueTraffic,
        Sample,
        StateCount,
        WorkerInfo,
        WriterStats,
    )
    from aether.sdk.past import Attempt, Explanation, Outcome, PastState, Reason, ReceivedSignal, TimelineRow
    from aether.sdk.queues import QueueInfo
    from aether.sdk.views import ForkOrigin, Pending, RunDoing, WorkflowInfo, WorkflowStatus

__all__ = [
    "Activity",
    "ActivityFailed",
    "ActivityInfo",
    "ActivityTimeouts",
    "AetherError",
    "Attempt",
    "ChildCancelled",
    "ChildFailed",
    "Client",
    "Codec",
    "Concurrency",
    "Context",
    "Deadline",
    "DeadlineExceeded",
    "Event",
    "Explanation",
    "Failure",
    "ForkOrigin",
    "Handle",
    "InvalidArgument",
    "Latency",
    "LimitExceeded",
    "LoggedEvent",
    "Metrics",
    "NonDeterminism",
    "NonRetryable",
    "Nursery",
    "OpenRuns",
    "Outcome",
    "PastState",
    "Payload",
    "Pending",
    "Problem",
    "Promise",
    "PromiseFailed",
    "QueueDepth",
    "QueueInfo",
    "QueueTraffic",
    "Reason",
    "ReceivedSignal",
    "RetryAfter",
    "RetryPolicy",
    "RunDoing",
    "RunError",
    "RunState",
    "Sample",
    "ServerFault",
    "ServerUnavailable",
    "SessionExpired",
    "SettingsError",
    "Spawned",
    "StaleLease",
    "StateCount",
    "StepFailed",
    "StorageUnavailable",
    "TimelineRow",
    "WorkerInfo",
    "Workflow",
    "WorkflowAlreadyExists",
    "WorkflowCancelled",
    "WorkflowClosed",
    "WorkflowFailed",
    "WorkflowInfo",
    "WorkflowNotFound",
    "WorkflowStatus",
    "WriterStats",
    "activity_info",
    "cancelled",
    "heartbeat",
]

# Where the names come from that are not errors.
_HOMES = {
    "Event": "model.events",
    "Failure": "model.payload",
    "Payload": "model.payload",
    "ActivityTimeouts": "model.policy",
    "RetryPolicy": "model.policy",
    "RunState": "model.runs",
    "Client": "sdk.client",
    "Concurrency": "sdk.concurrency",
    "Context": "sdk.context",
    "Deadline": "sdk.branches",
    "Nursery": "sdk.branches",
    "Promise": "sdk.detached",
    "Spawned": "sdk.detached",
    "Codec": "sdk.converters",
    "Activity": "sdk.define",
    "Workflow": "sdk.define",
    "LoggedEvent": "sdk.events",
    "ActivityInfo": "sdk.execute",
    "activity_info": "sdk.execute",
    "cancelled": "sdk.execute",
    "heartbeat": "sdk.execute",
    "Attempt": "sdk.past",
    "Explanation": "sdk.past",
    "Outcome": "sdk.past",
    "PastState": "sdk.past",
    "Reason": "sdk.past",
    "ReceivedSignal": "sdk.past",
    "TimelineRow": "sdk.past",
    "Handle": "sdk.handle",
    "Latency": "sdk.metrics",
    "Metrics": "sdk.metrics",
    "OpenRuns": "sdk.metrics",
    "Problem": "sdk.metrics",
    "QueueTraffic": "sdk.metrics",
    "Sample": "sdk.metrics",
    "WriterStats": "sdk.metrics",
    "QueueDepth": "sdk.metrics",
    "StateCount": "sdk.metrics",
    "QueueInfo": "sdk.queues",
    "WorkerInfo": "sdk.metrics",
    "ForkOrigin": "sdk.views",
    "Pending": "sdk.views",
    "RunDoing": "sdk.views",
    "WorkflowInfo": "sdk.views",
    "WorkflowStatus": "sdk.views",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'aether' has no attribute {name!r}")
    found = getattr(import_module(f"aether.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
