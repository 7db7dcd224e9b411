"""Commands about workers that are there."""

from collections.abc import Sequence
from difflib import get_close_matches

from aether.cli.call import Caller
from aether.cli.exit_codes import NameNotFound
from aether.cli.moments import Moment
from aether.cli.options import show_fields, show_rows
from aether.cli.output import Cell, Column, Format, Row
from aether.cli.records import tags_text
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

_COLUMNS = (
    Column("WORKER"),
    Column("QUEUE"),
    Column("STATE"),
    Column("WORKFLOWS"),
    Column("ACTIVITIES"),
    Column("SEEN", gives_way=1),
    Column("LABELS", can_shrink=True, gives_way=2),
)


def list_workers(server: str, output: Format) -> None:
    show_rows(output, "worker", _COLUMNS, map(_row, _workers(server)))


def show_worker(server: str, output: Format, name: str) -> None:
    workers = _workers(server)
    found = [worker for worker in workers if worker.worker_id.startswith(name)]
    exact = [worker for worker in found if worker.worker_id == name]
    if len(exact or found) != 1:
        near = [each.worker_id for each in found] or get_close_matches(name, [each.worker_id for each in workers], 5)
        hint = f"did you mean {', '.join(near)}?" if near else "`aether worker list` shows who is there"
        raise NameNotFound(f"no worker {name!r} is connected; {hint}")
    worker = (exact or found)[0]
    fields: list[tuple[str, Cell]] = [
        ("worker", worker.worker_id),
        ("queue", worker.task_queue),
        ("state", _state(worker)),
        ("workflow slots", _slots(worker.workflow_slots_used, worker.workflow_slots)),
        ("activity slots", _slots(worker.activity_slots_used, worker.activity_slots)),
        ("seen", Moment(worker.last_seen_at_us)),
        ("labels", tags_text(worker.labels)),
        ("workflows", ", ".join(worker.workflow_types)),
        ("activities", ", ".join(worker.activity_types)),
    ]
    show_fields(output, "worker", fields, plain(worker), [worker.worker_id])


def _workers(server: str) -> Sequence[pb.WorkerInfo]:
    answer = Caller(server).unary("/aether.v1.AdminService/GetMetrics", pb.GetMetricsRequest())
    return sorted(pb.Metrics.FromString(answer).workers, key=lambda each: (each.task_queue, each.worker_id))


def _row(worker: pb.WorkerInfo) -> Row:
    cells: tuple[Cell, ...] = (
        worker.worker_id,
        worker.task_queue,
        _state(worker),
        _slots(worker.workflow_slots_used, worker.workflow_slots),
        _slots(worker.activity_slots_used, worker.activity_slots),
        Moment(worker.last_seen_at_us),
        tags_text(worker.labels),
    )
    return Row(cells, plain(worker), worker.worker_id)


def _state(worker: pb.WorkerInfo) -> str:
    return "draining" if worker.draining else "serving"


def _slots(used: int, there: int) -> str:
    return f"{used}/{there}"
