"""The commands that look at runs and at the server: names and options."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from aether.cli.completing import complete_id, complete_type, one_of
from aether.cli.look import looks
from aether.cli.options import (
    DEFAULT_SERVER,
    SEQ_MAX,
    FilteredCommand,
    OutputOption,
    RunOption,
    ServerOption,
    WorkflowArgument,
    reading,
    reported,
)
from aether.cli.output import Format

_WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILTER]...", help="Which runs: state:failed type:order* tag.customer:c77 started:>1h"),
]


def register(app: typer.Typer, workflow: typer.Typer) -> None:
    """Add them, in the order in which help shows them."""
    workflow.command("list", cls=FilteredCommand)(reported(list_workflows))
    workflow.command("count", cls=FilteredCommand)(reported(count_workflows))
    workflow.command("show")(reported(status))
    of_one: tuple[Callable[..., object], ...] = (history, trace, why, replay)
    for command in (*of_one, children, query, export, view, check):
        workflow.command()(reported(command))
    for command in (status, *of_one, metrics, version):
        app.command()(reported(command))


@looks(table=True, times=True, watch=True)
def list_workflows(
    words: _WordsArgument = None,
    type_name: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Only runs of this workflow.", autocompletion=complete_type)
    ] = "",
    state: Annotated[
        str,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only pending, running, completed, failed or cancelled.",
            autocompletion=one_of("pending", "running", "completed", "failed", "cancelled"),
        ),
    ] = "",
    prefix: Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Only workflow ids that begin so.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    every_one: Annotated[bool, typer.Option("--all", help="Without --limit.")] = False,
    oldest: Annotated[
        bool, typer.Option("--oldest", help="The oldest first, and no others when there are more.")
    ] = False,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """List runs, newest first, or with --oldest the oldest.

    Terms of the filter must all hold: id, run, type, queue, tag.NAME, state, error, parent, started, closed and age,
    each with a colon and a value behind it; commas mean or, a leading - means not. A word by itself is how an id
    begins.
    """
    from aether.cli.runs import ALL, list_runs

    most = ALL if every_one else limit
    list_runs(
        server,
        output,
        words or [],
        type_name=type_name,
        state=state,
        prefix=prefix,
        limit=most,
        oldest_first=oldest,
    )


@looks(table=True, watch=True)
def count_workflows(
    words: _WordsArgument = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAMES", help="Of state, type, queue and tag.NAME, with commas between.")
    ] = "state",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Count the runs that a filter means; without one, all.

    Example: aether workflow count --by type,state 'closed:>1d'
    """
    from aether.cli.runs import count_runs

    count_runs(server, output, words or [], by)


@reading
@looks(times=True, watch=True)
def status(
    workflow_id: WorkflowArgument,
    history: Annotated[int, typer.Option("--history", min=0, metavar="N", help="Also the newest N events.")] = 0,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="End with 10, 11 or 13 if it failed, was cancelled or timed out.")
    ] = False,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> bool:
    """Show what a run is doing, what it waits for, and how it ended.

    With --watch, until it is closed.
    """
    from aether.cli.runs import show_status

    return show_status(server, output, workflow_id, run_id, history=history, exit_status=exit_status)


@reading
@looks(table=True, times=True)
def history(
    workflow_id: WorkflowArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is closed.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, metavar="SEQ", help="Only events after this one.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="COUNT", help="At most so many; 0: all.")] = 0,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show every event of a run, oldest first.

    With --follow, events are shown as they happen, also over restarts of the server, and JSON is one event a line. A
    long history is read in pages with --limit, and --after the last event of the page before.
    """
    from aether.cli.history import follow_history, show_history

    show = follow_history if follow else show_history
    show(server, output, workflow_id, run_id, after, limit or None)


@reading
@looks(watch=True)
def why(
    workflow_id: WorkflowArgument,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Say in one sentence what a run waits for, or how it ended."""
    from aether.cli.runs import show_why

    show_why(server, output, workflow_id, run_id)


@reading
@looks(table=True, times=True, watch=True)
def trace(
    workflow_id: WorkflowArgument,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> bool:
    """Show what a run did and when: a line for each thing that took time, in the order of its code.

    With --watch, until it is closed.
    """
    from aether.cli.trace import show_trace

    return show_trace(server, output, workflow_id, run_id)


@reading
@looks(times=True)
def replay(
    workflow_id: WorkflowArgument,
    at: Annotated[
        int, typer.Option("--at", min=1, max=SEQ_MAX, metavar="SEQ", help="The event; `aether history ID` shows them.")
    ],
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a run as it was after one of its events: what was over, and what it waited for."""
    from aether.cli.past import show_state

    show_state(server, output, workflow_id, run_id, at)


@reading
@looks(table=True, times=True, watch=True)
def children(
    workflow_id: WorkflowArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the runs that a run has started, newest first."""
    from aether.cli.runs import list_children

    list_children(server, output, workflow_id, limit)


@reading
def query(
    workflow_id: WorkflowArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Under which it was published.")],
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the value that a run has published under a key last, as JSON."""
    from aether.cli.messages import read_value

    read_value(server, output, workflow_id, run_id, key)


def export(
    workflow_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="The workflows' ids.", autocompletion=complete_id)
    ],
    file: Annotated[Path | None, typer.Option("--file", metavar="PATH", help="Where to write it. [stdout]")] = None,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write runs with their whole histories to a file, for `aether workflow view` and for tests.

    What is in it are all values of the runs: treat it as you treat them.
    """
    from aether.cli.exports import export_runs

    export_runs(server, workflow_ids, run_id, file)


@looks(table=True, times=True)
def view(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Written by `aether workflow export`; - is stdin.")],
    workflow_id: Annotated[str, typer.Argument(metavar="[ID]", help="One of the runs in it.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show exported runs, or the history of one of them, without a server."""
    from aether.cli.exports import view_file

    view_file(output, file, workflow_id)


@looks(table=True)
def check(
    client: Annotated[str, typer.Argument(metavar="MODULE:CLIENT", help="Where the code is, e.g. app:client.")],
    workflow_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Workflow ids. [all open runs]")
    ] = None,
    words: Annotated[str, typer.Option("--filter", metavar="FILTER", help="All runs that are meant.")] = "",
    file: Annotated[str, typer.Option("--file", metavar="FILE", help="Those that `export` has written there.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Check that the code here fits the histories of runs, before a worker has it.

    No step is run and nothing is changed. Ends with 1 when a run would be blocked.

    Example: aether workflow check app:client --filter 'state:open type:order'
    """
    from aether.cli.rehearsal import check_runs

    check_runs(server, output, client, workflow_ids or [], words, file)


@looks(watch=True)
def metrics(server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE) -> None:
    """Show what the server does, in numbers."""
    from aether.cli.metrics import show_metrics

    show_metrics(server, output)


def version(server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE) -> None:
    """Show the version of this command, and of the server."""
    from aether.cli.version import show_version

    show_version(server, output)
