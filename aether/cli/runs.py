"""Commands that look at runs, and the one that cancels them. Each makes one call."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import typer

from aether.cli.call import Caller
from aether.cli.clock import now_us
from aether.cli.exit_codes import exit_code_of_run
from aether.cli.moments import Moment
from aether.cli.options import say, show, show_fields, show_rows
from aether.cli.output import Cell, Column, Format, Row, render_data
from aether.cli.records import fact_name, history_rows, status_fields, tags_text
from aether.model.runs import RunState
from aether.model.visible import clean
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2
from aether.wire.plain import iso_time, plain, state_name

_CLIENT = "/aether.v1.ClientService"
_ADMIN = "/aether.v1.AdminService"
_LIST_COLUMNS = (
    Column("WORKFLOW"),
    Column("TYPE", can_shrink=True),
    Column("STATE"),
    Column("CREATED", gives_way=2),
    Column("CLOSED", gives_way=3),
    Column("RUN", gives_way=4),
    Column("TAGS", can_shrink=True, gives_way=1),
)
_FORKS_SHOWN = 20
# What runs can be counted by.
_COUNTED: dict[str, Callable[[client_pb2.WorkflowInfo], str]] = {
    "state": lambda info: state_name(info.state),
    "type": lambda info: info.workflow_type,
    "queue": lambda info: info.task_queue,
}
_TAG = "tag."
_COUNT_MAX = 100_000
# What `--all` means.
ALL = 1_000_000_000
# The most that a server answers at once.
_PAGE_RUNS = 1_000


def list_runs(
    server: str,
    output: Format,
    words: Sequence[str],
    *,
    type_name: str,
    state: str,
    prefix: str,
    limit: int,
    oldest_first: bool,
) -> None:
    request = admin_pb2.ListRequest(
        workflow_type=type_name,
        state=_state_number(state),
        workflow_id_prefix=prefix,
        filter=" ".join(words),
        oldest_first=oldest_first,
    )
    show_rows(output, "workflow", _LIST_COLUMNS, map(_row, pages(Caller(server), request, limit)))


def _row(info: client_pb2.WorkflowInfo) -> Row:
    cells: tuple[Cell, ...] = (
        info.workflow_id,
        info.workflow_type,
        state_name(info.state),
        Moment(info.created_at_us),
        Moment(info.closed_at_us),
        info.run_id,
        tags_text(info.tags),
    )
    return Row(cells, _listed(info), info.workflow_id)


def pages(caller: Caller, request: admin_pb2.ListRequest, limit: int) -> Iterator[client_pb2.WorkflowInfo]:
    """At most `limit` runs that are meant, in the order that the request names."""
    while limit > 0:
        request.limit = min(limit, _PAGE_RUNS)
        answers = caller.stream(f"{_ADMIN}/ListWorkflows", request)
        infos = [client_pb2.WorkflowInfo.FromString(each) for each in answers]
        yield from infos
        if len(infos) < request.limit:
            return
        limit -= len(infos)
        if request.oldest_first:
            request.after_run_key = infos[-1].run_key
        else:
            request.before_run_key = infos[-1].run_key


def list_children(server: str, output: Format, workflow_id: str, limit: int) -> None:
    caller = Caller(server)
    # An id that is not there has no children either, and that is not what was asked.
    caller.unary(f"{_CLIENT}/GetWorkflowStatus", client_pb2.GetStatusRequest(workflow_id=workflow_id))
    request = admin_pb2.ListRequest(filter=f"parent:{_quoted(workflow_id)}")
    show_rows(output, "workflow", _LIST_COLUMNS, map(_row, pages(caller, request, limit)))


def count_runs(server: str, output: Format, words: Sequence[str], by: str) -> None:
    """Looks at each run that is meant, newest first; says so when there are more than it looks at."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    for name in names:
        if name not in _COUNTED and not name.startswith(_TAG):
            known = ", ".join((*_COUNTED, f"{_TAG}NAME"))
            raise typer.BadParameter(f"can be {known}, not {name!r}", param_hint="--by")
    infos = pages(Caller(server), admin_pb2.ListRequest(filter=" ".join(words)), _COUNT_MAX + 1)
    counts = Counter(tuple(_told_of(info, name) for name in names) for info in islice(infos, _COUNT_MAX))
    if next(infos, None) is not None:
        say(f"aether: these are the newest {_COUNT_MAX}; there are more")
    columns = [*(Column(name.upper()) for name in names), Column("RUNS")]
    rows = [
        Row((*group, count), {**dict(zip(names, group, strict=True)), "runs": count}, " ".join(group))
        for group, count in sorted(counts.items())
    ]
    show_rows(output, "count", columns, rows or ([] if names else [Row((0,), {"runs": 0}, "")]))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _told_of(info: client_pb2.WorkflowInfo, name: str) -> str:
    return info.tags.get(name.removeprefix(_TAG), "") if name.startswith(_TAG) else _COUNTED[name](info)


def _listed(info: client_pb2.WorkflowInfo) -> dict[str, object]:
    """Without what a list does not know: only `aether status` does."""
    return {name: value for name, value in plain(info).items() if name not in {"history_length", "worker_id"}}


def _state_number(name: str) -> model_pb2.RunState:
    if not name:
        return model_pb2.RUN_STATE_UNSPECIFIED
    try:
        return model_pb2.RunState.Value(f"RUN_STATE_{RunState[name.upper()].name}")  # type: ignore[return-value]
    except KeyError:
        states = ", ".join(state.name.lower() for state in RunState)
        raise typer.BadParameter(f"must be one of {states}", param_hint="--state") from None


def show_status(
    server: str, output: Format, workflow_id: str, run_id: str, *, history: int = 0, exit_status: bool = False
) -> bool:
    """Says whether it is closed. With `exit_status`, how it ended is the exit code."""
    request = client_pb2.GetStatusRequest(workflow_id=workflow_id, run_id=run_id)
    caller = Caller(server)
    answer = caller.unary(f"{_CLIENT}/GetWorkflowStatus", request)
    status = client_pb2.WorkflowStatus.FromString(answer)
    forks = _forks_of(caller, status.info.run_id)
    events = _newest_events(caller, status.info, history) if history else []
    told = [{"workflow_id": fork.workflow_id, "run_id": fork.run_id} for fork in forks]
    document = plain(status) | ({"forks": told} if told else {})
    if events:
        document["history"] = [event_document(event) for event in events]
    fields = status_fields(status, now_us())
    fields += [("fork", f"{fork.workflow_id} (run {fork.run_id})") for fork in forks]
    fields += [("event", _event_line(event)) for event in events]
    show_fields(output, "status", fields, document, [status.info.workflow_id])
    if exit_status and status.info.closed_at_us:
        raise typer.Exit(exit_code_of_run(status.info.state, status.failure.type))
    return bool(status.info.closed_at_us)


def _newest_events(caller: Caller, info: client_pb2.WorkflowInfo, count: int) -> list[model_pb2.Event]:
    request = admin_pb2.GetHistoryRequest(
        workflow_id=info.workflow_id, run_id=info.run_id, after_seq=max(info.history_length - count, 0)
    )
    return [model_pb2.Event.FromString(each) for each in caller.stream(f"{_ADMIN}/GetHistory", request)]


def _event_line(event: model_pb2.Event) -> str:
    _, at, _, path, name, detail = next(iter(history_rows([event], since_start=False)))
    when = at.at_us if isinstance(at, Moment) else 0
    said = " ".join(filter(None, (str(event.seq), iso_time(when), fact_name(event), str(path), str(name))))
    return f"{said}: {detail}" if detail else said


def _forks_of(caller: Caller, run_id: str) -> list[client_pb2.WorkflowInfo]:
    request = admin_pb2.ListRequest(filter=f'tag.forked_from:"{run_id}"', limit=_FORKS_SHOWN)
    return [client_pb2.WorkflowInfo.FromString(each) for each in caller.stream(f"{_ADMIN}/ListWorkflows", request)]


def show_why(server: str, output: Format, workflow_id: str, run_id: str) -> None:
    request = admin_pb2.ExplainRequest(workflow_id=workflow_id, run_id=run_id)
    told = admin_pb2.Explanation.FromString(Caller(server).unary(f"{_ADMIN}/ExplainWorkflow", request))
    if output.is_data:
        document = {"schema": "aether.explanation/v1", **plain(told)}
        show(render_data(output, document, (reason.kind for reason in told.reasons)))
    else:
        show(clean(told.sentence) + "\n")


def fork_run(
    server: str, output: Format, workflow_id: str, run_id: str, new_id: str, *, at: int = 0, dry_run: bool = False
) -> None:
    """Fork it at an event, or, without one, where it was before it failed."""
    answer = ask_for_fork(Caller(server), workflow_id, run_id, new_id, at=at, dry_run=dry_run)
    fields = [("workflow", answer.workflow_id), ("run", answer.run_id), ("forked at", f"event {answer.at_seq}")]
    show_fields(output, "fork", fields, plain(answer), [answer.workflow_id])


def ask_for_fork(
    caller: Caller, workflow_id: str, run_id: str, new_id: str, *, at: int, dry_run: bool
) -> admin_pb2.ForkResponse:
    request = admin_pb2.ForkRequest(
        workflow_id=workflow_id, run_id=run_id, at_seq=at, retry=not at, new_workflow_id=new_id, dry_run=dry_run
    )
    return admin_pb2.ForkResponse.FromString(caller.unary(f"{_ADMIN}/ForkWorkflow", request))


def ask_to_stop(
    caller: Caller, workflow_id: str, run_id: str, reason: str, *, force: bool
) -> client_pb2.CancelResponse:
    request = client_pb2.CancelRequest(workflow_id=workflow_id, run_id=run_id, reason=reason, force=force)
    return client_pb2.CancelResponse.FromString(caller.unary(f"{_CLIENT}/CancelWorkflow", request))


def cancel_run(server: str, output: Format, workflow_id: str, run_id: str, reason: str, *, force: bool) -> None:
    answer = ask_to_stop(Caller(server), workflow_id, run_id, reason, force=force)
    fields = [("workflow", workflow_id), ("run", answer.run_id), ("state", state_name(answer.state))]
    show_fields(output, "cancel", fields, {"workflow_id": workflow_id, **plain(answer)}, [workflow_id])
