"""Task queues as a server tells of them, and what can be changed about them while it runs."""

from attrs import frozen

from aether.sdk import rpc
from aether.sdk.transport import Transport
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_SERVICE = "/aether.v1.AdminService/"


@frozen
class QueueInfo:
    """A task queue in which something waits, from which a worker takes, or that is paused or limited."""

    task_queue: str
    # It hands out nothing; why, if somebody said.
    paused: bool
    reason: str
    # Attempts of activities at a time, over all its workers; 0: as many as they have slots.
    activity_limit: int
    workers: int
    runs_waiting: int
    activities_waiting: int
    runs_active: int
    activities_active: int


async def list_queues(transport: Transport, timeout_s: float) -> list[QueueInfo]:
    answer = await rpc.call_until(
        transport,
        _SERVICE + "ListQueues",
        pb.ListQueuesRequest(),
        pb.ListQueuesResponse.FromString,
        timeout_s=timeout_s,
    )
    return [_info(queue) for queue in answer.queues]


async def update_queue(transport: Transport, request: pb.UpdateQueueRequest, timeout_s: float) -> QueueInfo:
    return _info(
        await rpc.call_until(transport, _SERVICE + "UpdateQueue", request, pb.QueueInfo.FromString, timeout_s=timeout_s)
    )


def _info(message: pb.QueueInfo) -> QueueInfo:
    return QueueInfo(
        message.task_queue,
        message.paused,
        message.reason,
        message.activity_limit,
        message.workers,
        message.runs_waiting,
        message.activities_waiting,
        message.runs_active,
        message.activities_active,
    )
