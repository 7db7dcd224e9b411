"""`aether replay ID --at SEQ`: a run as it was after one of its events."""

from aether.cli.call import Caller
from aether.cli.moments import Moment
from aether.cli.options import show_fields
from aether.cli.output import Cell, Format
from aether.cli.records import failure_text, pending_text, value_text
from aether.wire.generated.aether.v1 import admin_pb2
from aether.wire.plain import plain, state_name

_LISTS = {"outcome": "finished", "pending": "pending", "published": "published", "signal": "signals"}


def show_state(server: str, output: Format, workflow_id: str, run_id: str, seq: int) -> None:
    request = admin_pb2.GetStateAtRequest(workflow_id=workflow_id, run_id=run_id, seq=seq)
    stream = Caller(server).stream("/aether.v1.AdminService/GetStateAt", request)
    items = [admin_pb2.StateItem.FromString(each) for each in stream]
    show_fields(output, "state", state_fields(items), state_document(items), [items[0].run.workflow_id])


def state_document(items: list[admin_pb2.StateItem]) -> dict[str, object]:
    lists: dict[str, list[object]] = {name: [] for name in _LISTS.values()}
    for item in items[1:]:
        kind = item.WhichOneof("item")
        if kind in _LISTS:
            lists[_LISTS[kind]].append(plain(getattr(item, kind)))
    return plain(items[0].run) | lists


def state_fields(items: list[admin_pb2.StateItem]) -> list[tuple[str, Cell]]:
    run = items[0].run
    fields: list[tuple[str, Cell]] = [
        ("workflow", run.workflow_id),
        ("run", run.run_id),
        ("type", run.workflow_type),
        ("state", state_name(run.state)),
        ("event", str(run.seq)),
        ("at", Moment(run.at_us)),
        ("worker", run.worker_id),
        ("cancel", "requested" if run.cancel_requested else ""),
    ]
    for item in items[1:]:
        kind = item.WhichOneof("item")
        if kind == "outcome":
            fields.append(("finished", _outcome_text(item.outcome)))
        elif kind == "pending":
            fields.append(("waits for", pending_text(item.pending, run.at_us)))
        elif kind == "published":
            fields.append(("published", f"{item.published.key} = {value_text(item.published.value)}"))
        elif kind == "signal":
            fields.append(("signal", f"{item.signal.name} = {value_text(item.signal.value)}"))
    return [(name, value) for name, value in fields if value]


def _outcome_text(outcome: admin_pb2.Outcome) -> str:
    what = " ".join(filter(None, (outcome.kind, outcome.name)))
    tries = f" in attempt {outcome.attempt}" if outcome.attempt > 1 else ""
    how = ""
    if outcome.HasField("result"):
        how = f": {value_text(outcome.result)}"
    elif outcome.HasField("failure"):
        how = f": {failure_text(outcome.failure)}"
    return f"{what} at {outcome.path}, {outcome.state} by event {outcome.seq}{tries}{how}"
