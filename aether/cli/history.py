"""`aether history`: the events of a run, those that there are, or as they come."""

from collections.abc import Iterator
from itertools import islice

from aether.cli.call import Caller
from aether.cli.clock import pause
from aether.cli.options import asked_look, say, show, show_rows
from aether.cli.options import screen as stdout_screen
from aether.cli.output import Column, Format, Row, render_data, render_row
from aether.cli.reader import end_with_reader
from aether.cli.records import fact_name, history_rows
from aether.errors import ServerUnavailable, StorageUnavailable
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2

_PATH = "/aether.v1.AdminService/GetHistory"
# Widths are for a history that is shown while it grows; one that is complete is measured.
COLUMNS = (
    Column("SEQ", width=4),
    Column("TIME", width=9),
    Column("EVENT", width=18),
    Column("PATH", width=6, gives_way=1),
    Column("NAME", can_shrink=True, width=16),
    Column("DETAIL", can_shrink=True, width=0),
)
_CLOSING = {"run_completed", "run_failed", "run_cancelled"}
_AWAY_S = 0.5


def show_history(server: str, output: Format, workflow_id: str, run_id: str, after: int, limit: int | None) -> None:
    # Rows tell the time since the first event, and names that earlier ones gave.
    first = after if output.is_data else 0
    request = admin_pb2.GetHistoryRequest(workflow_id=workflow_id, run_id=run_id, after_seq=first)
    last = None if limit is None else after - first + limit
    events = [model_pb2.Event.FromString(each) for each in islice(Caller(server).stream(_PATH, request), last)]
    rows = zip(history_rows(events, since_start=asked_look().times is None), events, strict=True)
    show_rows(
        output,
        # Events are read back by `aether.testing.replay`, which knows their fields.
        "",
        COLUMNS,
        (Row(cells, event_document(event), fact_name(event)) for cells, event in rows if event.seq > after),
    )


def follow_history(server: str, output: Format, workflow_id: str, run_id: str, after: int, limit: int | None) -> None:
    end_with_reader()
    first = after if output.is_data else 0
    last = None if limit is None else after - first + limit
    events = islice(_follow(Caller(server), workflow_id, run_id, first), last)
    if output.is_data:
        # An array has no end yet.
        each = Format.JSONL if output is Format.JSON else output
        for event in events:
            show(render_data(each, [event_document(event)], [fact_name(event)]))
        return
    screen = stdout_screen(output)
    has_titles = screen.look.has_titles
    for row in history_rows(events, since_start=screen.look.times is None):
        # With the first event: an id that is not there gets no titles.
        if has_titles:
            show(render_row(COLUMNS, [column.title for column in COLUMNS], screen))
            has_titles = False
        if int(str(row[0])) > after:
            show(render_row(COLUMNS, row, screen))


def _follow(caller: Caller, workflow_id: str, run_id: str, after: int) -> Iterator[model_pb2.Event]:
    """Each event once, whatever becomes of the server meanwhile."""
    if not run_id:
        # Or it would go on with another run of the id when it has to ask again.
        asked = client_pb2.GetStatusRequest(workflow_id=workflow_id)
        answer = caller.unary("/aether.v1.ClientService/GetWorkflowStatus", asked)
        run_id = client_pb2.WorkflowStatus.FromString(answer).info.run_id
    request = admin_pb2.GetHistoryRequest(workflow_id=workflow_id, run_id=run_id, after_seq=after, follow=True)
    is_away = False
    while True:
        try:
            for each in caller.stream(_PATH, request, is_endless=True):
                event = model_pb2.Event.FromString(each)
                request.after_seq, is_away = event.seq, False
                yield event
                if event.WhichOneof("fact") in _CLOSING:
                    return
        except (ServerUnavailable, StorageUnavailable) as error:
            if not is_away:
                say(f"aether: {error}; waiting for it")
            is_away = True
            pause(_AWAY_S)
        else:
            return
