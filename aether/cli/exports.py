"""Runs in a file: what `aether workflow export` writes, and `aether workflow view` shows without a server."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from aether.cli.call import Caller
from aether.cli.history import COLUMNS
from aether.cli.options import asked_look, show, show_rows
from aether.cli.output import Column, Format, Row, render_json
from aether.cli.records import fact_name, history_rows
from aether.errors import AetherError, InvalidArgument, WorkflowNotFound
from aether.wire.documents import event_document, event_of_document
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2
from aether.wire.plain import plain

SCHEMA = "aether.export/v1"
_LIST = (
    Column("WORKFLOW"),
    Column("TYPE", can_shrink=True),
    Column("STATE"),
    Column("EVENTS"),
    Column("RUN", gives_way=1),
)


def export_runs(server: str, workflow_ids: Sequence[str], run_id: str, target: Path | None) -> None:
    """Each with its status and its whole history, as one JSON document."""
    if run_id and len(workflow_ids) > 1:
        raise typer.BadParameter("only with one id", param_hint="--run-id")
    caller = Caller(server)
    document = {"schema": SCHEMA, "runs": [_exported(caller, each, run_id) for each in workflow_ids]}
    text = render_json(document)
    if target is None:
        show(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AetherError(f"{target} can not be written: {error.strerror or error}") from None


def _exported(caller: Caller, workflow_id: str, run_id: str) -> dict[str, object]:
    asked = client_pb2.GetStatusRequest(workflow_id=workflow_id, run_id=run_id)
    status = client_pb2.WorkflowStatus.FromString(caller.unary("/aether.v1.ClientService/GetWorkflowStatus", asked))
    info = status.info
    request = admin_pb2.GetHistoryRequest(workflow_id=info.workflow_id, run_id=info.run_id)
    answers = caller.stream("/aether.v1.AdminService/GetHistory", request)
    events = [event_document(model_pb2.Event.FromString(each)) for each in answers]
    return {"status": plain(status), "history": events}


def view_file(output: Format, source: str, workflow_id: str) -> None:
    """All runs of the file, or the history of one of them."""
    runs = _read(source)
    if not workflow_id and len(runs) != 1:
        show_rows(output, "workflow", _LIST, [_listed(run) for run in runs])
        return
    found = [run for run in runs if not workflow_id or run["status"]["info"]["workflow_id"] == workflow_id]
    if not found:
        ids = ", ".join(run["status"]["info"]["workflow_id"] for run in runs)
        raise WorkflowNotFound(f"{source} has no workflow {workflow_id!r}; it has {ids}")
    events = [event_of_document(each) for each in found[0]["history"]]
    rows = zip(history_rows(events, since_start=asked_look().times is None), events, strict=True)
    show_rows(output, "", COLUMNS, (Row(cells, event_document(event), fact_name(event)) for cells, event in rows))


def histories_of(source: str) -> Iterator[tuple[str, list[model_pb2.Event]]]:
    """Workflow id and events of each run in it."""
    for run in _read(source):
        yield run["status"]["info"]["workflow_id"], [event_of_document(each) for each in run["history"]]


def _listed(run: "dict[str, dict[str, dict[str, str]]]") -> Row:
    info = run["status"]["info"]
    events = len(run["history"])
    cells = (info["workflow_id"], info["workflow_type"], info["state"], events, info["run_id"])
    return Row(cells, {**info, "history_length": events}, info["workflow_id"])


def _read(source: str) -> "list[dict[str, dict[str, dict[str, str]]]]":
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        found = json.loads(text)
        if found["schema"] == SCHEMA:
            for run in found["runs"]:
                _ = [run["status"]["info"][key] for key in ("workflow_id", "workflow_type", "state", "run_id")]
                _ = iter(run["history"])
            return list(found["runs"])
    except OSError as error:
        raise InvalidArgument(f"{source}: {error.strerror or error}", field="FILE") from None
    except (ValueError, RecursionError, LookupError, TypeError):
        pass
    raise InvalidArgument(f"{source} was not written by `aether workflow export`", field="FILE")
