"""What happens on a server, over all runs, for programs that listen."""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import anyio
from attrs import frozen

from aether.errors import AetherError
from aether.model import events as e
from aether.sdk import rpc
from aether.sdk.transport import Transport
from aether.sdk.views import time_of, time_or_none
from aether.wire.convert import event_from_proto
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_PATH = "/aether.v1.AdminService/FollowEvents"


@frozen
class LoggedEvent:
    """An event of some run, in short."""

    # Where it is in the log of all runs: grows, with gaps.
    position: int
    at: datetime
    # "RunCreated", "StepCompleted", "ActivityRetried" and so on, as in histories.
    kind: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    # Its number in the history of its run.
    seq: int
    path: str
    # Step, activity, child's workflow id, signal, promise or key; "" if it was named before anybody listened.
    name: str
    attempt: int
    # When a timer fires, or the next attempt may start.
    due_at: datetime | None
    worker_id: str
    failure_type: str
    # Of the failure, or the reason given; its beginning.
    message: str
    # How many events, of any run, were left out before this one, because they were not read quickly enough.
    dropped: int = 0
    # If it was asked for.
    event: e.Event | None = None


async def follow_events(transport: Transport, request: pb.FollowEventsRequest) -> AsyncGenerator[LoggedEvent, None]:
    """Without end, over restarts of the server."""
    backoff = rpc.Backoff()
    dropped = 0
    while True:
        begun_at = math.inf
        try:
            async with aclosing(rpc.stream(transport, _PATH, request, pb.LoggedEvent.FromString)) as messages:
                async for message in messages:
                    begun_at = min(begun_at, anyio.current_time())
                    request.after_position = message.position
                    dropped += message.dropped
                    if message.kind:
                        told, dropped = dropped, 0
                        yield _event(message, told)
        except AetherError as error:
            if not error.is_retryable:
                raise
        backoff.reset_if_lasting(begun_at)
        await backoff.wait()


def _event(message: pb.LoggedEvent, dropped: int) -> LoggedEvent:
    return LoggedEvent(
        message.position,
        time_of(message.at_us),
        message.kind,
        message.workflow_id,
        message.run_id,
        message.workflow_type,
        message.task_queue,
        message.seq,
        message.path,
        message.name,
        message.attempt,
        time_or_none(message.due_at_us),
        message.worker_id,
        message.failure_type,
        message.message,
        dropped,
        event_from_proto(message.event) if message.HasField("event") else None,
    )
