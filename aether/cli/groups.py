"""The groups `queue` and `worker`: names and options."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aether.cli.completing import complete_queue
from aether.cli.look import looks
from aether.cli.options import COUNT_MAX, DEFAULT_SERVER, OutputOption, ServerOption, reported
from aether.cli.output import Format

_QueueArgument = Annotated[str, typer.Argument(metavar="NAME", help="The task queue.", autocompletion=complete_queue)]
_NewOption = Annotated[bool, typer.Option("--new", help="Also if no worker has ever asked for it.")]


# Longer than any first sentence; the parser of the command line would cut it to one line.
_SENTENCE_MAX = 500
Commands = tuple[tuple[str, Callable[..., object]], ...]


class Group(TyperGroup):
    """Its help says of each command the first sentence, whole, on as many lines as that takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_SENTENCE_MAX)) for name, each in commands if each])


class WorkerGroup(Group):
    """`aether worker MODULE:CLIENT` is short for `aether worker run MODULE:CLIENT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


def register(queue: typer.Typer, worker: typer.Typer) -> None:
    """Add them, in the order in which help shows them."""
    queues: Commands = (
        ("list", queue_list),
        ("show", queue_show),
        ("pause", queue_pause),
        ("resume", queue_resume),
        ("limit", queue_limit),
    )
    for name, command in queues:
        queue.command(name)(reported(command))
    workers: Commands = (("run", worker_run), ("list", worker_list), ("show", worker_show))
    for name, command in workers:
        worker.command(name)(reported(command))


@looks(table=True, watch=True)
def queue_list(server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE) -> None:
    """List task queues: what they hand out, who takes from them, what waits."""
    from aether.cli import queues

    queues.list_queues(server, output)


@looks(table=True, watch=True)
def queue_show(
    name: _QueueArgument, server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE
) -> None:
    """Show one task queue."""
    from aether.cli import queues

    queues.show_queue(server, output, name)


@looks(table=True)
def queue_pause(
    name: _QueueArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown to whoever looks.")] = "",
    new: _NewOption = False,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Hand out nothing more from a task queue, until it is resumed, over restarts of the server too."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, paused=True, reason=reason, is_new=new)


@looks(table=True)
def queue_resume(
    name: _QueueArgument, server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE
) -> None:
    """Let a paused task queue go on."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, paused=False)


@looks(table=True)
def queue_limit(
    name: _QueueArgument,
    activities: Annotated[
        int, typer.Argument(metavar="COUNT", min=0, max=COUNT_MAX, help="Attempts at a time; 0: no limit.")
    ],
    new: _NewOption = False,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Limit how many attempts of activities the workers of a task queue have at a time, over restarts too."""
    from aether.cli.queues import update_queue

    update_queue(server, output, name, limit=activities, is_new=new)


def worker_run(
    client: Annotated[str, typer.Argument(metavar="MODULE:CLIENT", help="Where the client is, e.g. app:client.")],
    server: ServerOption = DEFAULT_SERVER,
    loop: Annotated[
        str, typer.Option("--loop", metavar="LOOP", help="Event loop for your code: trio or asyncio.")
    ] = "trio",
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="NAME=VALUE", help="What this worker has and others may not; may be given many times."
        ),
    ] = None,
    log_format: Annotated[
        str,
        typer.Option("--log-format", metavar="FORMAT", envvar="AETHER_LOG_FORMAT", help="auto, console or json."),
    ] = "auto",
    log_level: Annotated[
        str,
        typer.Option("--log-level", metavar="LEVEL", envvar="AETHER_LOG_LEVEL", help="debug, info, warning or error."),
    ] = "info",
) -> None:
    """Run the workflows and activities of a client until SIGTERM or Ctrl-C.

    The module is looked for in the current directory first. When told to stop, the worker finishes what it can and
    hands back the rest; a second signal cuts that short.
    """
    from aether.cli.worker import run_worker

    run_worker(client, server, loop, label or [], log_format, log_level)


@looks(table=True, times=True, watch=True)
def worker_list(server: ServerOption = DEFAULT_SERVER, output: OutputOption = Format.TABLE) -> None:
    """List the workers that are connected, and what they have in hand."""
    from aether.cli import workers

    workers.list_workers(server, output)


@looks(times=True, watch=True)
def worker_show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The worker's id, or how it begins.")],
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show one worker: its slots, its labels, its workflows and activities."""
    from aether.cli import workers

    workers.show_worker(server, output, name)
