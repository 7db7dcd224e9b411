"""Commands about task queues."""

from collections.abc import Sequence
from difflib import get_close_matches

from aether.cli.call import Caller
from aether.cli.exit_codes import NameNotFound
from aether.cli.options import show_rows
from aether.cli.output import Cell, Column, Format, Row
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

_ADMIN = "/aether.v1.AdminService"
_COLUMNS = (
    Column("QUEUE"),
    Column("HANDS OUT", can_shrink=True),
    Column("WORKERS"),
    Column("RUNS WAITING"),
    Column("RUNS ACTIVE", gives_way=2),
    Column("ACTIVITIES WAITING", gives_way=1),
    Column("ACTIVITIES ACTIVE", gives_way=3),
)


def list_queues(server: str, output: Format) -> None:
    _show(output, _queues(Caller(server)))


def show_queue(server: str, output: Format, name: str) -> None:
    _show(output, [_known(_queues(Caller(server)), name)])


def update_queue(
    server: str,
    output: Format,
    name: str,
    *,
    paused: bool | None = None,
    reason: str = "",
    limit: int | None = None,
    is_new: bool = False,
) -> None:
    """Refuses a queue that nobody has ever heard of, unless it is meant to be new: it may be a slip of the hand."""
    caller = Caller(server)
    if not is_new:
        _known(_queues(caller), name)
    request = pb.UpdateQueueRequest(task_queue=name, reason=reason)
    if paused is not None:
        request.paused = paused
    if limit is not None:
        request.activity_limit = limit
    _show(output, [pb.QueueInfo.FromString(caller.unary(f"{_ADMIN}/UpdateQueue", request))])


def _queues(caller: Caller) -> Sequence[pb.QueueInfo]:
    answer = caller.unary(f"{_ADMIN}/ListQueues", pb.ListQueuesRequest())
    return pb.ListQueuesResponse.FromString(answer).queues


def _known(queues: Sequence[pb.QueueInfo], name: str) -> pb.QueueInfo:
    for queue in queues:
        if queue.task_queue == name:
            return queue
    names = [queue.task_queue for queue in queues]
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
    raise NameNotFound(f"no worker takes from a task queue {name!r} and nothing waits in it; {hint}")


def _show(output: Format, queues: Sequence[pb.QueueInfo]) -> None:
    show_rows(output, "queue", _COLUMNS, map(_row, queues))


def _row(queue: pb.QueueInfo) -> Row:
    cells: tuple[Cell, ...] = (
        queue.task_queue,
        _hands_out(queue),
        queue.workers,
        queue.runs_waiting,
        queue.runs_active,
        queue.activities_waiting,
        queue.activities_active,
    )
    return Row(cells, plain(queue), queue.task_queue)


def _hands_out(queue: pb.QueueInfo) -> str:
    if queue.paused:
        return "nothing, paused" + (f": {queue.reason}" if queue.reason else "")
    if not queue.activity_limit:
        return "all"
    return f"at most {queue.activity_limit} {'activity' if queue.activity_limit == 1 else 'activities'}"
