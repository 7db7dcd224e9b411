"""The commands that help whoever writes workflows or settings here, and need no server: names and options."""

from typing import Annotated

import typer

from aether.cli.completing import one_of
from aether.cli.look import looks
from aether.cli.options import ConfigOption, OutputOption, reported
from aether.cli.output import Format


def register(app: typer.Typer, config: typer.Typer) -> None:
    """Add them, in the order in which help shows them."""
    app.command()(reported(dev))
    app.command()(reported(completion))
    for name, command in (("show", config_show), ("check", config_check), ("path", config_path)):
        config.command(name)(reported(command))


def dev(
    client: Annotated[str, typer.Argument(metavar="MODULE:CLIENT", help="Where the client is, e.g. app:client.")],
    db_path: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Database file. [data/aether.db]")] = None,
    grpc_port: Annotated[str | None, typer.Option(metavar="PORT", help="Port; 0: any free one. [7233]")] = None,
    file: ConfigOption = None,
) -> None:
    """Run a server with its page, and a worker that is started again when code changes.

    Code is looked for in the current directory. Everything is kept in the database, also over restarts of this command.
    """
    from aether.cli.dev import run_dev

    given = {"--db": db_path, "--grpc-port": grpc_port, "--config": str(file) if file else None}
    run_dev(client, [word for name, value in given.items() if value is not None for word in (name, value)])


@looks(table=True)
def config_show(
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value comes from.")] = False,
    file: ConfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the settings that `aether serve` would have here."""
    from aether.cli.config import show_settings

    show_settings(output, file, with_origin=origin)


def config_check(file: ConfigOption = None, output: OutputOption = Format.TABLE) -> None:
    """Check the settings that `aether serve` would have here; every fault is told, with its line."""
    from aether.cli.config import check_settings

    check_settings(output, file)


def config_path(file: ConfigOption = None, output: OutputOption = Format.TABLE) -> None:
    """Say which file of settings `aether serve` would read here."""
    from aether.cli.config import show_path

    show_path(output, file)


def completion(
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=one_of("bash", "zsh", "fish")),
    ],
) -> None:
    """Print what a shell has to know to complete commands and options.

    Example: eval "$(aether completion bash)"
    """
    from aether.cli.completion import script_for

    typer.echo(script_for(shell), nl=False)
