"""Options that several commands share, and how a command's outcome becomes text and an exit code."""

import functools
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from attrs import evolve
from typer.core import TyperCommand

from aether.cli.exit_codes import ExitCode, exit_code_of
from aether.cli.output import Format, Screen, screen_of
from aether.errors import AetherError, SettingsError
from aether.model.visible import clean_lines

P = ParamSpec("P")
R = TypeVar("R")

SERVER_VARIABLE = "AETHER_SERVER"
DEFAULT_SERVER = "http://localhost:7233"

ServerOption = Annotated[
    str,
    typer.Option("--server", envvar=SERVER_VARIABLE, show_envvar=True, help="Address of the server.", metavar="URL"),
]
_ENDLESS = 1_000_000
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to show it.")]
RunOption = Annotated[
    str, typer.Option("--run-id", metavar="RUN", help="One run of that id; the newest when not given.")
]
# A setting as it was typed; what it means is said by `server/settings.py`.
Given = str | None
WorkflowArgument = Annotated[str, typer.Argument(metavar="ID", help="The workflow's id.")]


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="File of settings; else aether.toml here, if there."),
]

_EXCLUSION = re.compile(r"-[A-Za-z][\w.]*:")


class FilteredCommand(TyperCommand):
    """A command with a filter, whose terms may begin with a `-` like options do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        terms = [word for word in args[:end] if _EXCLUSION.match(word)]
        options = [word for word in args[:end] if not _EXCLUSION.match(word)]
        return super().parse_args(ctx, [*options, "--", *terms, *args[end + 1 :]])


def setting(metavar: str, text: str) -> Any:
    """An option of `aether serve` that is named for the setting."""
    return typer.Option(metavar=metavar, help=text)


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turns what Aether raises on purpose into one line on stderr and an exit code; the same for Ctrl-C."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AetherError as error:
            raise _reported(error) from None
        except BaseExceptionGroup as group:
            # What ended a nursery. Anything in it but errors of ours is a defect: whoever mends it needs the traceback.
            ours, others = group.split(AetherError)
            if ours is None or others is not None:
                raise
            raise _reported(_first(ours)) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None

    return run


def _reported(error: AetherError) -> typer.Exit:
    for line in error.faults if isinstance(error, SettingsError) else [f"aether: {error}"]:
        say(line)
    return typer.Exit(exit_code_of(error))


def _first(group: BaseExceptionGroup[AetherError]) -> AetherError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def say(text: str) -> None:
    """A line on stderr, for people. One that nobody can take stops nothing."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(clean_lines(text) + "\n")
        sys.stderr.flush()


def show(text: str) -> None:
    """Data on stdout, at once: somebody may wait for it at the other end of a pipe."""
    try:
        sys.stdout.write(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        # What was not written is not tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise AetherError(f"the output can not be written: {error.strerror or error}") from None


def screen(output: Format = Format.TABLE) -> Screen:
    """What stdout is; with `wide` nothing is cut."""
    found = screen_of(os.environ, is_terminal=sys.stdout.isatty(), width=get_terminal_size().columns)
    return evolve(found, width=_ENDLESS) if output is Format.WIDE and found.width else found
