"""`--filter` of cancel, retry and fork: the same for each run that is meant, with one line for each."""

import sys
from collections.abc import Callable

import typer

from aether.cli.call import Caller
from aether.cli.exit_codes import ExitCode
from aether.cli.options import say, show_rows
from aether.cli.output import Column, Format, Row
from aether.cli.runs import ask_for_fork, ask_to_stop, pages
from aether.errors import AetherError
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2
from aether.wire.plain import state_name

Act = Callable[[Caller, client_pb2.WorkflowInfo], str]
_COLUMNS = (Column("WORKFLOW"), Column("RUN", gives_way=1), Column("STATE"), Column("OUTCOME", can_shrink=True))
# More at once is for a program, which can look at what it does.
BATCH_MAX = 10_000


def one_or_many(workflow_id: str, words: str, of_one: str, *, dry_run: bool = False) -> None:
    """Raises BadParameter unless exactly one of the two is given, and what is `of_one` run with the first only.

    `dry_run` is for commands of which only that of many can be tried.
    """
    if not workflow_id and not words:
        raise typer.BadParameter("the id of a run, or --filter for all that are meant", param_hint="ID")
    if words and (workflow_id or of_one):
        raise typer.BadParameter("not with an id", param_hint="--filter")
    if dry_run and not words:
        raise typer.BadParameter("only with --filter", param_hint="--dry-run")


def act_on_all(
    server: str, output: Format, words: str, states: str, act: Act, *, verb: str, dry_run: bool, yes: bool
) -> None:
    """Acts on the runs that are meant and in one of the states. Ends with 1 when that failed for one of them."""
    caller = Caller(server)
    request = admin_pb2.ListRequest(filter=f"{words} state:{states}")
    infos = list(pages(caller, request, BATCH_MAX))
    if not dry_run:
        _confirm(len(infos), verb, yes=yes)
    rows, failed = [], 0
    for info in infos:
        try:
            outcome = act(caller, info)
        except AetherError as error:
            outcome, failed = f"failed: {error}", failed + 1
        rows.append((info.workflow_id, info.run_id, state_name(info.state), outcome))
    names = ("workflow_id", "run_id", "state", "outcome")
    show_rows(output, "outcome", _COLUMNS, (Row(row, dict(zip(names, row, strict=True)), row[0]) for row in rows))
    if dry_run:
        say(f"aether: {_runs(len(infos))} would be {verb}; nothing was done")
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _confirm(count: int, verb: str, *, yes: bool) -> None:
    if yes or not count:
        return
    if not sys.stdin.isatty():
        what = f"{_runs(count)} would be {verb}: say --yes, or look at them with --dry-run"
        raise typer.BadParameter(what, param_hint="--filter")
    if not typer.confirm(f"{_runs(count)} will be {verb}. Go on?", err=True):
        raise typer.Exit(ExitCode.ANSWERED_NO)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def fork_all(server: str, output: Format, words: str, *, at: int = 0, dry_run: bool, yes: bool) -> None:
    """Fork or retry each run that is meant. The server is asked what would be done for a dry run too."""

    def act(caller: Caller, info: client_pb2.WorkflowInfo) -> str:
        answer = ask_for_fork(caller, info.workflow_id, info.run_id, "", at=at, dry_run=dry_run)
        new = f", run {answer.run_id}" if answer.run_id else ""
        return f"{answer.workflow_id} from event {answer.at_seq}{new}"

    states = "open,closed" if at else "failed,cancelled"
    act_on_all(server, output, words, states, act, verb="forked" if at else "retried", dry_run=dry_run, yes=yes)


def cancel_all(server: str, output: Format, words: str, reason: str, *, force: bool, dry_run: bool, yes: bool) -> None:
    def act(caller: Caller, info: client_pb2.WorkflowInfo) -> str:
        if dry_run:
            return "would be ended" if force else "would be asked to stop"
        return state_name(ask_to_stop(caller, info.workflow_id, info.run_id, reason, force=force).state)

    act_on_all(server, output, words, "open", act, verb="cancelled", dry_run=dry_run, yes=yes)
