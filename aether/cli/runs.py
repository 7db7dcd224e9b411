"""Commands that look at runs, and the one that cancels them. Each makes one call."""

from collections.abc import Iterator, Sequence

import typer

from aether.cli.call import Caller
from aether.cli.clock import now_us
from aether.cli.options import screen as stdout_screen
from aether.cli.options import show
from aether.cli.output import Column, Format, render_data, render_fields, render_table
from aether.cli.records import status_fields, tags_text
from aether.model.runs import RunState
from aether.model.visible import clean
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2
from aether.wire.plain import iso_time, plain, state_name

_CLIENT = "/aether.v1.ClientService"
_ADMIN = "/aether.v1.AdminService"
_LIST_COLUMNS = (
    Column("WORKFLOW"),
    Column("TYPE", can_shrink=True),
    Column("STATE"),
    Column("CREATED"),
    Column("CLOSED"),
    Column("RUN"),
    Column("TAGS", can_shrink=True),
)
_FORKS_SHOWN = 20
# The most that a server answers at once.
_PAGE_RUNS = 1_000


def list_runs(
    server: str, output: Format, words: Sequence[str], *, type_name: str, state: str, prefix: str, limit: int
) -> None:
    request = admin_pb2.ListRequest(
        workflow_type=type_name,
        state=_state_number(state),
        workflow_id_prefix=prefix,
        filter=" ".join(words),
    )
    infos = list(pages(Caller(server), request, limit))
    if output.is_data:
        show(render_data(output, [_listed(info) for info in infos], (info.workflow_id for info in infos)))
        return
    rows = [
        (
            info.workflow_id,
            info.workflow_type,
            state_name(info.state),
            iso_time(info.created_at_us),
            iso_time(info.closed_at_us),
            info.run_id,
            tags_text(info.tags),
        )
        for info in infos
    ]
    show(render_table(_LIST_COLUMNS, rows, stdout_screen(output)))


def pages(caller: Caller, request: admin_pb2.ListRequest, limit: int) -> Iterator[client_pb2.WorkflowInfo]:
    """At most `limit` runs that are meant, newest first."""
    while limit > 0:
        request.limit = min(limit, _PAGE_RUNS)
        answers = caller.stream(f"{_ADMIN}/ListWorkflows", request)
        infos = [client_pb2.WorkflowInfo.FromString(each) for each in answers]
        yield from infos
        if len(infos) < request.limit:
            return
        limit -= len(infos)
        request.before_run_key = infos[-1].run_key


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


def show_status(server: str, output: Format, workflow_id: str, run_id: str) -> None:
    request = client_pb2.GetStatusRequest(workflow_id=workflow_id, run_id=run_id)
    caller = Caller(server)
    answer = caller.unary(f"{_CLIENT}/GetWorkflowStatus", request)
    status = client_pb2.WorkflowStatus.FromString(answer)
    forks = _forks_of(caller, status.info.run_id)
    if output.is_data:
        told = [{"workflow_id": fork.workflow_id, "run_id": fork.run_id} for fork in forks]
        document = plain(status) | ({"forks": told} if told else {})
        show(render_data(output, document, [status.info.workflow_id]))
        return
    fields = status_fields(status, now_us())
    fields += [("fork", f"{fork.workflow_id} (run {fork.run_id})") for fork in forks]
    show(render_fields(fields, stdout_screen(output)))


def _forks_of(caller: Caller, run_id: str) -> list[client_pb2.WorkflowInfo]:
    request = admin_pb2.ListRequest(filter=f'tag.forked_from:"{run_id}"', limit=_FORKS_SHOWN)
    return [client_pb2.WorkflowInfo.FromString(each) for each in caller.stream(f"{_ADMIN}/ListWorkflows", request)]


def show_why(server: str, output: Format, workflow_id: str, run_id: str) -> None:
    request = admin_pb2.ExplainRequest(workflow_id=workflow_id, run_id=run_id)
    told = admin_pb2.Explanation.FromString(Caller(server).unary(f"{_ADMIN}/ExplainWorkflow", request))
    if output.is_data:
        show(render_data(output, plain(told), (reason.kind for reason in told.reasons)))
    else:
        show(clean(told.sentence) + "\n")


def fork_run(
    server: str, output: Format, workflow_id: str, run_id: str, new_id: str, *, at: int = 0, dry_run: bool = False
) -> None:
    """Fork it at an event, or, without one, where it was before it failed."""
    answer = ask_for_fork(Caller(server), workflow_id, run_id, new_id, at=at, dry_run=dry_run)
    if output.is_data:
        show(render_data(output, plain(answer), [answer.workflow_id]))
        return
    fields = [("workflow", answer.workflow_id), ("run", answer.run_id), ("shares events", f"1 to {answer.at_seq}")]
    show(render_fields([(name, value) for name, value in fields if value], stdout_screen(output)))


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
    if output.is_data:
        show(render_data(output, {"workflow_id": workflow_id, **plain(answer)}, [workflow_id]))
        return
    fields = [("workflow", workflow_id), ("run", answer.run_id), ("state", state_name(answer.state))]
    show(render_fields(fields, stdout_screen(output)))
