"""`aether trace`: what a run did and when, as a tree with a line for each thing that took time."""

from aether.cli.call import Caller
from aether.cli.clock import now_us
from aether.cli.moments import Moment, duration
from aether.cli.options import asked_look, show_rows
from aether.cli.output import Cell, Column, Format, Row
from aether.cli.records import failure_line
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

_COLUMNS = (
    Column("PATH"),
    Column("WHAT", can_shrink=True),
    Column("STATE"),
    Column("BEGAN", gives_way=1),
    Column("TOOK"),
    Column("ATTEMPTS", gives_way=2),
    Column("DETAIL", can_shrink=True),
)
_OPEN = {"waiting", "queued", "running", "backing_off"}


def show_trace(server: str, output: Format, workflow_id: str, run_id: str) -> bool:
    """Says whether the run is closed."""
    request = pb.GetTimelineRequest(workflow_id=workflow_id, run_id=run_id)
    answers = Caller(server).stream("/aether.v1.AdminService/GetTimeline", request)
    found = [pb.TimelineRow.FromString(each) for each in answers]
    first_at, now = found[0].created_at_us, now_us()
    show_rows(output, "timeline", _COLUMNS, (_row(each, first_at, now) for each in found))
    return found[0].state not in _OPEN


def _row(row: pb.TimelineRow, first_at: int, now: int) -> Row:
    began = row.started_at_us or row.created_at_us
    since = f"+{(began - first_at) / 1_000_000:.3f}"
    is_open = row.state in _OPEN
    took = duration(max((now if is_open else row.ended_at_us) - began, 0)) + (" so far" if is_open else "")
    indent = "  " * (row.depth + (row.kind != "run"))
    cells: tuple[Cell, ...] = (
        row.path,
        f"{indent}{row.kind} {row.name}",
        row.state.replace("_", " "),
        since if asked_look().times is None else Moment(began),
        took if row.kind != "signal" else "",
        row.attempt_count or "",
        _detail(row, now),
    )
    return Row(cells, plain(row), row.path)


def _detail(row: pb.TimelineRow, now: int) -> str:
    said = []
    if row.due_at_us > now and row.state in _OPEN:
        said.append(f"due in {duration(row.due_at_us - now)}")
    if row.child_workflow_id:
        said.append(f"workflow {row.child_workflow_id}")
    if row.HasField("failure"):
        said.append(failure_line(row.failure.type, row.failure.message))
    if row.worker_id:
        said.append(f"worker {row.worker_id}")
    return ", ".join(said)
