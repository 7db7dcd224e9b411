"""The aether command: which commands there are. What each does lies in the module that it imports when it runs.

Nothing heavy is imported before a command is known, so that `--help` and completion answer at once; a test holds it to
that.
"""

import gc
from pathlib import Path
from typing import Annotated

import typer

from aether.cli import changes, watching, workbench
from aether.cli.options import (
    DEFAULT_SERVER,
    ConfigOption,
    FilteredCommand,
    Given,
    OutputOption,
    RunOption,
    ServerOption,
    WorkflowArgument,
    reported,
    setting,
)
from aether.cli.output import Format
from aether.version import VERSION

_APP = {"rich_markup_mode": None, "pretty_exceptions_enable": False, "no_args_is_help": True, "add_completion": False}
app = typer.Typer(help="Durable workflows in plain Python.", **(_APP | {"add_completion": True}))  # type: ignore[arg-type]
workflow = typer.Typer(help="Look at many runs.", **_APP)  # type: ignore[arg-type]
app.add_typer(workflow, name="workflow")
queue = typer.Typer(help="Look at task queues, pause and limit them.", **_APP)  # type: ignore[arg-type]
app.add_typer(queue, name="queue")
config = typer.Typer(help="Look at the settings.", **_APP)  # type: ignore[arg-type]
app.add_typer(config, name="config")
db = typer.Typer(help="Take care of the database.", **_APP)  # type: ignore[arg-type]
app.add_typer(db, name="db")


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="aether")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"aether {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Durable workflows in plain Python."""


@app.command()
@reported
def serve(
    config: ConfigOption = None,
    db_path: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Database file. [data/aether.db]")] = None,
    grpc_host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where to listen. [127.0.0.1]")] = None,
    grpc_port: Annotated[str | None, typer.Option(metavar="PORT", help="Port; 0: any free one. [7233]")] = None,
    persistence: Annotated[Given, setting("MODE", "state-action-log, snapshot or memory. [state-action-log]")] = None,
    snapshot_interval_s: Annotated[
        Given, setting("SECONDS", "How far snapshot may be behind with the disk. [1]")
    ] = None,
    retention_closed_max: Annotated[Given, setting("COUNT", "Closed runs that are kept; 0: all. [1000000]")] = None,
    retention_closed_days: Annotated[Given, setting("DAYS", "How long they are kept; 0: for ever. [0]")] = None,
    session_timeout_s: Annotated[Given, setting("SECONDS", "Silence after which a worker loses its work. [15]")] = None,
    drain_deadline_s: Annotated[Given, setting("SECONDS", "Time for workers to finish when told to stop. [10]")] = None,
    log_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="auto, console or json. [auto]")] = None,
    log_level: Annotated[Given, setting("LEVEL", "debug, info, warning or error. [info]")] = None,
    log_payloads: Annotated[bool | None, typer.Option("--log-payloads", help="Log what failures say.")] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="PATH", help="Certificate of the server, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="PATH", help="Its private key, PEM.")] = None,
    tls_client_ca: Annotated[Given, setting("PATH", "Who signs the certificates of clients, PEM.")] = None,
    http_host: Annotated[Given, setting("ADDRESS", "Where to serve the web page. [127.0.0.1]")] = None,
    http_port: Annotated[Given, setting("PORT", "Port of the web page; 0: any free one. [7234]")] = None,
    web_enabled: Annotated[bool | None, typer.Option("--web-enabled/--no-web", help="Serve the web page.")] = None,
    web_read_only: Annotated[bool | None, typer.Option("--web-read-only", help="The page changes nothing.")] = None,
    web_allowed_hosts: Annotated[Given, setting("NAMES", "Further names of the web page, with commas between.")] = None,
    web_token_file: Annotated[Given, setting("PATH", "File with the token that the page asks for. [none]")] = None,
    traces_endpoint: Annotated[Given, setting("URL", "OpenTelemetry collector to send spans to. [none]")] = None,
    metrics_enabled: Annotated[
        bool | None, typer.Option("--metrics-enabled/--no-metrics", help="Serve metrics for Prometheus.")
    ] = None,
    metrics_host: Annotated[Given, setting("ADDRESS", "Where to serve metrics. [127.0.0.1]")] = None,
    metrics_port: Annotated[Given, setting("PORT", "Port of metrics; 0: any free one. [9090]")] = None,
    metrics_max_label_values: Annotated[Given, setting("COUNT", "Names that metrics tell apart. [200]")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Let machines that prove nothing reach the server.")
    ] = None,
) -> None:
    """Run a server until SIGTERM or Ctrl-C.

    Settings come from these options, then from AETHER_* variables, then from aether.toml, then from the defaults.
    """
    # All parameters but the file are settings, by their names.
    flags = {name: value for name, value in locals().items() if name != "config" and value is not None}
    gc.set_threshold(5_000, 20, 20)  # loading code makes little garbage; looking for it took a tenth of the time
    from aether.cli.serve import run_server

    run_server(flags, config)


@app.command()
@reported
def worker(
    client: Annotated[str, typer.Argument(metavar="MODULE:CLIENT", help="Where the client is, e.g. app:client.")],
    server: ServerOption = DEFAULT_SERVER,
    loop: Annotated[str, typer.Option(metavar="LOOP", help="Event loop for your code: trio or asyncio.")] = "trio",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What this worker has and others may not; may be given many times."),
    ] = None,
    log_format: Annotated[
        str, typer.Option(metavar="FORMAT", envvar="AETHER_LOG_FORMAT", help="auto, console or json.")
    ] = "auto",
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", envvar="AETHER_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Run the workflows and activities of a client until SIGTERM or Ctrl-C.

    The module is looked for in the current directory first. When told to stop, the worker finishes what it can and
    hands back the rest; a second signal cuts that short.
    """
    from aether.cli.worker import run_worker

    run_worker(client, server, loop, label or [], log_format, log_level)


@app.command("init")
@reported
def init_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the project.")],
    output: Annotated[Path | None, typer.Option(metavar="PATH", help="Folder to write to. [./NAME]")] = None,
) -> None:
    """Write a small project that runs as it stands."""
    from aether.cli.init import write_project

    write_project(name, output)


@workflow.command("list", cls=FilteredCommand)
@reported
def list_workflows(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]...", help="Which runs: state:failed type:order* tag.customer:c77 started:>1h"),
    ] = None,
    type_name: Annotated[str, typer.Option("--type", metavar="TYPE", help="Only runs of this workflow.")] = "",
    state: Annotated[
        str, typer.Option(metavar="STATE", help="Only pending, running, completed, failed or cancelled runs.")
    ] = "",
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only workflow ids that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """List runs, newest first.

    Terms of the filter must all hold: id, run, type, queue, tag.NAME, state, parent, started, closed and age, each with
    a colon and a value behind it; commas mean or, a leading - means not. A word by itself is how an id begins.
    """
    from aether.cli.runs import list_runs

    list_runs(server, output, words or [], type_name=type_name, state=state, prefix=prefix, limit=limit)


@app.command()
@reported
def status(
    workflow_id: WorkflowArgument,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what a run is doing, what it waits for, and how it ended."""
    from aether.cli.runs import show_status

    show_status(server, output, workflow_id, run_id)


@app.command()
@reported
def history(
    workflow_id: WorkflowArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is closed.")] = False,
    after: Annotated[int, typer.Option(min=0, metavar="SEQ", help="Only events after this one.")] = 0,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show every event of a run, oldest first.

    With --follow, events are shown as they happen, also over restarts of the server, and JSON is one event a line.
    """
    from aether.cli.history import follow_history, show_history

    show = follow_history if follow else show_history
    show(server, output, workflow_id, run_id, after)


@app.command()
@reported
def why(
    workflow_id: WorkflowArgument,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Say in one sentence what a run waits for, or how it ended."""
    from aether.cli.runs import show_why

    show_why(server, output, workflow_id, run_id)


@app.command()
@reported
def replay(
    workflow_id: WorkflowArgument,
    at: Annotated[int, typer.Option(min=1, metavar="SEQ", help="The event; `aether history ID` shows them.")],
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a run as it was after one of its events: what was over, and what it waited for."""
    from aether.cli.past import show_state

    show_state(server, output, workflow_id, run_id, at)


changes.register(app)
workbench.register(app, config)
watching.register(app)


_QueueArgument = Annotated[str, typer.Argument(metavar="NAME", help="The task queue.")]


@queue.command("list")
@reported
def list_queues(server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE) -> None:
    """List task queues: what they hand out, who takes from them, what waits."""
    from aether.cli import queues

    queues.list_queues(server, output)


@queue.command("pause")
@reported
def pause_queue(
    name: _QueueArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; shown to whoever looks.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Hand out nothing more from a task queue, until it is resumed or the server restarts."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, paused=True, reason=reason)


@queue.command("resume")
@reported
def resume_queue(
    name: _QueueArgument, server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE
) -> None:
    """Let a paused task queue go on."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, paused=False)


@queue.command("limit")
@reported
def limit_queue(
    name: _QueueArgument,
    activities: Annotated[int, typer.Argument(metavar="COUNT", min=0, help="Attempts at a time; 0: no limit.")],
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Limit how many attempts of activities the workers of a task queue have at a time, until the server restarts."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, limit=activities)


@app.command()
@reported
def pause(
    workflow_id: WorkflowArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")] = "",
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Hold a run where it is; what it is at may finish."""
    from aether.cli.pausing import pause_run

    pause_run(server, output, workflow_id, run_id, reason)


@app.command()
@reported
def resume(
    workflow_id: WorkflowArgument,
    run_id: RunOption = "",
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Let a paused run go on."""
    from aether.cli.pausing import resume_run

    resume_run(server, output, workflow_id, run_id)


@app.command()
@reported
def metrics(
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what the server does, in numbers."""
    from aether.cli.metrics import show_metrics

    show_metrics(server, output)


@app.command()
@reported
def doctor(
    config: ConfigOption = None,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Check this machine, the settings, the database and the server."""
    from aether.cli.doctor import examine

    examine(server, output, config)


_DatabaseOption = Annotated[
    str | None, typer.Option("--db", metavar="PATH", help="Database; else what the settings of a server say.")
]


@db.command("check")
@reported
def db_check(
    database: _DatabaseOption = None, config: ConfigOption = None, output: OutputOption = Format.TABLE
) -> None:
    """Read everything in the database and tell every fault.

    Looks at the structure of the file, at the checksum of every row, and at whether each history is whole and leads to
    the state of its run. Changes nothing, and may run beside a server. Ends with 1 when there are faults.
    """
    from aether.cli.database import check_database

    check_database(output, database, config)


@db.command("backup")
@reported
def db_backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="File to write; it must not be there yet.")],
    database: _DatabaseOption = None,
    config: ConfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Copy the database as it is at this moment, also while a server runs.

    The copy is checked before it gets its name. A server can be started on it.
    """
    from aether.cli.database import back_up

    back_up(output, target, database, config)


@db.command("migrate")
@reported
def db_migrate(
    database: _DatabaseOption = None, config: ConfigOption = None, output: OutputOption = Format.TABLE
) -> None:
    """Bring a database of an older version of Aether to the format of this one.

    A server does the same when it starts. Older versions can not read it afterwards: make a backup first.
    """
    from aether.cli.database import migrate_database

    migrate_database(output, database, config)
