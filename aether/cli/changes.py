"""The commands that start runs, speak to them, end them or go on with them: names and options."""

from typing import Annotated

import typer

from aether.cli.completing import complete_id, complete_queue, complete_type
from aether.cli.look import looks
from aether.cli.options import (
    DEFAULT_SERVER,
    SEQ_MAX,
    OutputOption,
    RunOption,
    ServerOption,
    WorkflowArgument,
    finite,
    reported,
)
from aether.cli.output import Format

_DryOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


_AnyWorkflow = Annotated[str, typer.Argument(metavar="[ID]", help="The workflow's id.", autocompletion=complete_id)]
_FilterOption = Annotated[
    str, typer.Option("--filter", metavar="FILTER", help="All runs that are meant, as in `aether workflow list`.")
]
_YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; with --filter, where nobody can answer.")]


def register(app: typer.Typer, workflow: typer.Typer) -> None:
    """Add them, in the order in which help shows them."""
    for command in (start, signal, result, fork, retry, cancel, pause, resume):
        app.command()(reported(command))
        workflow.command()(reported(command))
    workflow.command()(reported(complete))


def start(
    workflow_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="The workflow's name.", autocompletion=complete_type)
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="Its arguments: JSON, or else taken as texts; '\"123\"' is a text."),
    ] = None,
    workflow_id: Annotated[str, typer.Option("--id", metavar="ID", help="Of the run; made up when not given.")] = "",
    task_queue: Annotated[
        str, typer.Option("--queue", metavar="NAME", help="Task queue. [default]", autocompletion=complete_queue)
    ] = "",
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be given several times.")] = None,
    source: Annotated[
        str, typer.Option("--input", "-i", metavar="FILE", help="JSON array of the arguments; - is stdin.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its result, as `aether result` does.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Start a run.

    An id that has an open run of the same type and arguments finds that run.

    Example: aether start order order-123 4200 --id order-123 --tag customer=c77
    """
    from aether.cli.messages import start_run

    start_run(
        server,
        output,
        workflow_type,
        arguments or [],
        workflow_id=workflow_id,
        task_queue=task_queue,
        tags=tag or [],
        source=source,
        wait=wait,
    )


def signal(
    workflow_id: WorkflowArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the code waits for.")],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="JSON, or else taken as a text.")] = "null",
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Send a signal to an open run.

    Example: aether signal order-123 approved '{"by": "Ada"}'
    """
    from aether.cli.messages import send_signal

    send_signal(server, output, workflow_id, run_id, name, value)


def result(
    workflow_id: WorkflowArgument,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", callback=finite, help="Wait so long; 0: for ever.")
    ] = 0,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Wait until a run is closed, and show its result.

    Ends with 10 when the run failed, and with 11 when it was cancelled.
    """
    from aether.cli.messages import show_result

    show_result(server, output, workflow_id, run_id, timeout_s=timeout)


@looks(table=True)
def fork(
    *,
    workflow_id: _AnyWorkflow = "",
    at: Annotated[int, typer.Option(min=1, max=SEQ_MAX, metavar="SEQ", help="The last event that both share.")],
    new_id: Annotated[str, typer.Option("--id", metavar="NEW", help="Of the new run; made up when not given.")] = "",
    words: _FilterOption = "",
    dry_run: _DryOption = False,
    yes: _YesOption = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Start a run that shares the history of another one up to an event, and goes on from there.

    What was not over at that event begins anew. `aether history ID` shows the events.
    """
    from aether.cli.batch import fork_all, one_or_many
    from aether.cli.runs import fork_run

    one_or_many(workflow_id, words, run_id or new_id)
    if words:
        fork_all(server, output, words, at=at, dry_run=dry_run, yes=yes)
    else:
        fork_run(server, output, workflow_id, run_id, new_id, at=at, dry_run=dry_run)


@looks(table=True)
def retry(
    workflow_id: _AnyWorkflow = "",
    new_id: Annotated[str, typer.Option("--id", metavar="NEW", help="Of the new run; the same when not given.")] = "",
    words: _FilterOption = "",
    dry_run: _DryOption = False,
    yes: _YesOption = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Go on with a run that failed or was cancelled, from the last event before that.

    Example: aether retry --filter 'type:order closed:>1h' --dry-run
    """
    from aether.cli.batch import fork_all, one_or_many
    from aether.cli.runs import fork_run

    one_or_many(workflow_id, words, run_id or new_id)
    if words:
        fork_all(server, output, words, dry_run=dry_run, yes=yes)
    else:
        fork_run(server, output, workflow_id, run_id, new_id, dry_run=dry_run)


@looks(table=True)
def cancel(
    workflow_id: _AnyWorkflow = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")] = "",
    force: Annotated[bool, typer.Option("--force", help="End it at once, without cleaning up.")] = False,
    words: _FilterOption = "",
    dry_run: _DryOption = False,
    yes: _YesOption = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Ask a run to stop; its code may clean up first.

    Example: aether cancel --filter 'tag.customer:c77 age:>2d' --reason "left us"
    """
    from aether.cli.batch import cancel_all, one_or_many
    from aether.cli.runs import cancel_run

    one_or_many(workflow_id, words, run_id, dry_run=dry_run)
    if words:
        cancel_all(server, output, words, reason, force=force, dry_run=dry_run, yes=yes)
    else:
        cancel_run(server, output, workflow_id, run_id, reason, force=force)


@looks(table=True)
def pause(
    workflow_id: _AnyWorkflow = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")] = "",
    words: _FilterOption = "",
    dry_run: _DryOption = False,
    yes: _YesOption = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Hold a run where it is; what it is at may finish."""
    from aether.cli.batch import one_or_many
    from aether.cli.pausing import pause_all, pause_run

    one_or_many(workflow_id, words, run_id, dry_run=dry_run)
    if words:
        pause_all(server, output, words, reason, dry_run=dry_run, yes=yes)
    else:
        pause_run(server, output, workflow_id, run_id, reason)


@looks(table=True)
def resume(
    workflow_id: _AnyWorkflow = "",
    words: _FilterOption = "",
    dry_run: _DryOption = False,
    yes: _YesOption = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Let a paused run go on."""
    from aether.cli.batch import one_or_many
    from aether.cli.pausing import resume_all, resume_run

    one_or_many(workflow_id, words, run_id, dry_run=dry_run)
    if words:
        resume_all(server, output, words, dry_run=dry_run, yes=yes)
    else:
        resume_run(server, output, workflow_id, run_id)


def complete(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Of the promise, as `ctx.promise` made it.")],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="JSON, or else taken as a text.")] = "null",
    fail: Annotated[str, typer.Option("--fail", metavar="TEXT", help="It has failed, and this is why.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Complete a promise that a run waits for.

    Example: aether workflow complete TOKEN '{"approved": true}'
    """
    from aether.cli.messages import complete_promise

    complete_promise(server, output, token, value, fail)
