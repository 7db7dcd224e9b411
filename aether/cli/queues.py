"""Commands about task queues."""

from collections.abc import Sequence

from aether.cli.call import Caller
from aether.cli.options import screen, show
from aether.cli.output import Column, Format, render_data, render_table
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

_ADMIN = "/aether.v1.AdminService"
_COLUMNS = (
    Column("QUEUE"),
    Column("HANDS OUT", can_shrink=True),
    Column("WORKERS"),
    Column("RUNS WAITING"),
    Column("RUNS ACTIVE"),
    Column("ACTIVITIES WAITING"),
    Column("ACTIVITIES ACTIVE"),
)


def list_queues(server: str, output: Format) -> None:
    answer = Caller(server).unary(f"{_ADMIN}/ListQueues", pb.ListQueuesRequest())
    queues = pb.ListQueuesResponse.FromString(answer).queues
    if output.is_data:
        show(render_data(output, [plain(queue) for queue in queues], (queue.task_queue for queue in queues)))
        return
    _table(queues)


def update_queue(
    server: str, output: Format, name: str, *, paused: bool | None = None, reason: str = "", limit: int | None = None
) -> None:
    request = pb.UpdateQueueRequest(task_queue=name, reason=reason)
    if paused is not None:
        request.paused = paused
    if limit is not None:
        request.activity_limit = limit
    queue = pb.QueueInfo.FromString(Caller(server).unary(f"{_ADMIN}/UpdateQueue", request))
    if output.is_data:
        show(render_data(output, plain(queue), [queue.task_queue]))
        return
    _table([queue])


def _table(queues: Sequence[pb.QueueInfo]) -> None:
    rows = [
        (
            queue.task_queue,
            _hands_out(queue),
            str(queue.workers),
            str(queue.runs_waiting),
            str(queue.runs_active),
            str(queue.activities_waiting),
            str(queue.activities_active),
        )
        for queue in queues
    ]
    show(render_table(_COLUMNS, rows, screen()))


def _hands_out(queue: pb.QueueInfo) -> str:
    if queue.paused:
        return "nothing, paused" + (f": {queue.reason}" if queue.reason else "")
    return f"at most {queue.activity_limit} activities" if queue.activity_limit else "all"
