"""The aether command: which commands there are. What each does lies in the module that it imports when it runs.

Nothing heavy is imported before a command is known, so that `--help` and completion answer at once; a test holds it to
that.
"""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from aether.cli import changes, groups, looking, watching, workbench
from aether.cli.completing import one_of
from aether.cli.exit_codes import ExitCode
from aether.cli.look import looks
from aether.cli.options import (
    DEFAULT_SERVER,
    ConfigOption,
    Given,
    OutputOption,
    ServerOption,
    give_up_stdout,
    reported,
    say,
    say_error,
    setting,
    wants_json,
)
from aether.cli.output import Format
from aether.version import VERSION

# Whatever the parser of the command line raises: typer brings a click of its own and does not name it.
_Mistake: type[Exception] = typer.BadParameter.__mro__[2]
_APP = {
    "cls": groups.Group,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
    "add_completion": False,
}
app = typer.Typer(help="Durable workflows in plain Python.", **(_APP | {"add_completion": True}))  # type: ignore[arg-type]
workflow = typer.Typer(help="Look at runs, start, change and export them.", **_APP)  # type: ignore[arg-type]
app.add_typer(workflow, name="workflow")
queue = typer.Typer(help="Look at task queues, pause and limit them.", **_APP)  # type: ignore[arg-type]
app.add_typer(queue, name="queue")
worker = typer.Typer(
    help="Run the workflows of a client, and look at the workers that are there.",
    **(_APP | {"cls": groups.WorkerGroup}),  # type: ignore[arg-type]
)
app.add_typer(worker, name="worker")
config = typer.Typer(help="Look at the settings.", **_APP)  # type: ignore[arg-type]
app.add_typer(config, name="config")
db = typer.Typer(help="Take care of the database.", **_APP)  # type: ignore[arg-type]
app.add_typer(db, name="db")


def main() -> None:
    """Entry point of the console script."""
    words = sys.argv[1:]
    try:
        if not wants_json(words):
            app(prog_name="aether")
        sys.exit(app(words, prog_name="aether", standalone_mode=False))
    except typer.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except _Mistake as mistake:
        say_error("UsageError", mistake.format_message(), ExitCode.USAGE)  # type: ignore[attr-defined]
        sys.exit(ExitCode.USAGE)
    except OSError as error:
        # Of the help mostly, which goes to stdout by itself.
        say(f"aether: {error.filename or 'the output'} can not be written or read: {error.strerror or error}")
        give_up_stdout()
        sys.exit(ExitCode.FAILED)


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


@app.command("init")
@reported
def init_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the project.")],
    template: Annotated[
        str,
        typer.Option(
            "--template",
            metavar="TEMPLATE",
            help="basic, saga, agent or http. [basic]",
            autocompletion=one_of("basic", "saga", "agent", "http"),
        ),
    ] = "basic",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="Folder to write to. [./NAME]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where something is, over files of these names.")] = False,
) -> None:
    """Write a small project that runs as it stands, with tests."""
    from aether.cli.init import write_project

    write_project(name, output, template, force=force)


looking.register(app, workflow)
changes.register(app, workflow)
groups.register(queue, worker)
workbench.register(app, config)
watching.register(app)


@app.command()
@reported
@looks(table=True, watch=True)
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


@db.command("vacuum")
@reported
def db_vacuum(
    database: _DatabaseOption = None, config: ConfigOption = None, output: OutputOption = Format.TABLE
) -> None:
    """Make the file as small as it can be; with the server stopped.

    It is written anew, which needs as much room again for a while. A server gives back by itself what is unused beyond
    a quarter of the file.
    """
    from aether.cli.database import vacuum_database

    vacuum_database(output, database, config)


@db.command("stats")
@reported
def db_stats(
    database: _DatabaseOption = None, config: ConfigOption = None, output: OutputOption = Format.TABLE
) -> None:
    """How many runs there are in the database, and how much room it takes; may run beside a server."""
    from aether.cli.database import show_stats

    show_stats(output, database, config)
