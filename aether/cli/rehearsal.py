"""`aether workflow check`: does the code that is here fit the histories of runs, before a worker with it takes them?"""

from collections.abc import Iterator, Sequence

import typer

from aether.cli.call import Caller
from aether.cli.exit_codes import ExitCode
from aether.cli.exports import histories_of
from aether.cli.options import say, show_rows
from aether.cli.output import Cell, Column, Format, Row
from aether.cli.runs import pages
from aether.cli.worker import load_client
from aether.errors import InvalidArgument, NonDeterminism
from aether.sdk.client import Client
from aether.testing import replay
from aether.wire.convert import event_from_proto
from aether.wire.generated.aether.v1 import admin_pb2, model_pb2

_COLUMNS = (
    Column("WORKFLOW"),
    Column("TYPE", can_shrink=True),
    Column("EVENTS"),
    Column("FITS"),
    Column("WHAT DIFFERS", can_shrink=True),
)
_RUNS_MAX = 10_000


def check_runs(server: str, output: Format, place: str, workflow_ids: Sequence[str], words: str, file: str) -> None:
    """Ends with 1 when a history does not fit. Nothing is called and nothing is sent: steps are not run."""
    client = load_client(place)
    rows = [_row(client, *each) for each in _histories(server, workflow_ids, words, file)]
    show_rows(output, "fit", _COLUMNS, rows)
    misfits = sum(row.cells[3] == "no" for row in rows)
    if misfits:
        say(f"aether: {misfits} of {len(rows)} runs would be blocked by this code")
        raise typer.Exit(ExitCode.FAILED)


def _histories(
    server: str, workflow_ids: Sequence[str], words: str, file: str
) -> Iterator[tuple[str, list[model_pb2.Event]]]:
    if file:
        yield from histories_of(file)
        return
    caller = Caller(server)
    if workflow_ids:
        asked = [(each, "") for each in workflow_ids]
    else:
        infos = pages(caller, admin_pb2.ListRequest(filter=words or "state:open"), _RUNS_MAX)
        asked = [(info.workflow_id, info.run_id) for info in infos]
    for workflow_id, run_id in asked:
        request = admin_pb2.GetHistoryRequest(workflow_id=workflow_id, run_id=run_id)
        answers = caller.stream("/aether.v1.AdminService/GetHistory", request)
        yield workflow_id, [model_pb2.Event.FromString(each) for each in answers]


def _row(client: Client, workflow_id: str, events: list[model_pb2.Event]) -> Row:
    kind = events[0].run_created.workflow_type if events else ""
    workflow = client.worker_settings().workflows.get(kind)
    fits, differs = "yes", ""
    if workflow is None:
        fits, differs = "-", "this client has no such workflow"
    else:
        try:
            replay([event_from_proto(event) for event in events], workflow)
        except (NonDeterminism, InvalidArgument) as misfit:
            fits, differs = "no", str(misfit)
    cells: tuple[Cell, ...] = (workflow_id, kind, len(events), fits, differs)
    names = ("workflow_id", "workflow_type", "events", "fits", "differs")
    return Row(cells, dict(zip(names, cells, strict=True)), workflow_id)
