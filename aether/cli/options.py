"""Options that several commands share, and how a command's outcome becomes text and an exit code."""

import functools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from attrs import evolve
from typer.core import TyperCommand

from aether.cli.clock import now_us
from aether.cli.completing import complete_id
from aether.cli.exit_codes import ExitCode, exit_code_of
from aether.cli.output import (
    Cell,
    Column,
    Format,
    Look,
    Row,
    Screen,
    arranged,
    render_data,
    render_fields,
    render_table,
    screen_of,
)
from aether.errors import AetherError, InvalidArgument, SettingsError, WorkflowNotFound
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
WorkflowArgument = Annotated[str, typer.Argument(metavar="ID", help="The workflow's id.", autocompletion=complete_id)]


def finite(value: float) -> float:
    """A `callback` of options: NaN is within every range, for it compares with nothing."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number of seconds.")
    return value


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="File of settings. [`aether config path` says which]"),
]

# Larger ones are no number of an event, of attempts or of a position; they would not fit into a message either.
SEQ_MAX = COUNT_MAX = 10**9
POSITION_MAX = 10**18

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
    """Turns what Aether raises on purpose into one line on stderr and an exit code; the same for Ctrl-C.

    With `-o json` it is one JSON object instead. A run that is not there is told together with ids like its.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        output = kwargs.get("output")
        try:
            return command(*args, **kwargs)
        except AetherError as error:
            raise _reported(_hinted(error, kwargs), output) from None
        except BaseExceptionGroup as group:
            # What ended a nursery. Anything in it but errors of ours is a defect: whoever mends it needs the traceback.
            ours, others = group.split(AetherError)
            if ours is None or others is not None:
                raise
            raise _reported(_first(ours), output) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None

    return run


def reading(command: Callable[P, R]) -> Callable[P, R]:
    """For commands that change nothing: the beginning of an id stands for it when no other one begins so."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except WorkflowNotFound as error:
            if not _means_one(kwargs):
                raise
            from aether.cli.finding import resolved

            whole = resolved(str(kwargs["server"]), str(kwargs["workflow_id"]), error)
            return command(*args, **(kwargs | {"workflow_id": whole}))  # type: ignore[arg-type]

    return run


def _means_one(given: Mapping[str, object]) -> bool:
    """Somebody named a run of a server by its id."""
    return bool(given.get("server") and given.get("workflow_id") and not given.get("run_id"))


def _hinted(error: AetherError, given: dict[str, Any]) -> AetherError:
    if isinstance(error, WorkflowNotFound) and _means_one(given):
        from aether.cli.finding import with_near_ids

        return with_near_ids(error, given["server"], given["workflow_id"])
    return error


def _reported(error: AetherError, output: object) -> typer.Exit:
    code = exit_code_of(error)
    faults = error.faults if isinstance(error, SettingsError) else ()
    if output in (Format.JSON, Format.JSONL):
        more: dict[str, object] = {"faults": list(faults)} if faults else {}
        if isinstance(error, InvalidArgument) and error.field:
            more["field"] = error.field
        say_error(type(error).__name__, str(error), code, is_retryable=error.is_retryable, **more)
    else:
        for line in faults or [f"aether: {error}"]:
            say(line)
    return typer.Exit(code)


def wants_json(words: Sequence[str]) -> bool:
    """Of a command line that may be wrong: its errors are for a program."""
    formats = {"json", "jsonl"}
    pairs = zip(words, [*words[1:], ""], strict=False)
    return any(
        (word in {"-o", "--output"} and value in formats)
        or (word.startswith("-o") and word[2:].removeprefix("=") in formats)
        or (word.startswith("--output=") and word[9:] in formats)
        for word, value in pairs
    )


def say_error(kind: str, message: str, code: int, *, is_retryable: bool = False, **more: object) -> None:
    """An error for programs: one JSON object on one line of stderr."""
    document = {
        "schema": "aether.error/v1",
        "type": kind,
        "message": message,
        "exit_code": int(code),
        "retryable": is_retryable,
        **more,
    }
    print(json.dumps(document), file=sys.stderr)  # noqa: T201


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


_look: ContextVar[Look] = ContextVar("look", default=Look())  # noqa: B039 - frozen
_gathered: ContextVar[list[str] | None] = ContextVar("gathered", default=None)


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """What is shown meanwhile is shown so."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


@contextmanager
def gathering() -> Iterator[list[str]]:
    """What is shown meanwhile is kept instead of written."""
    texts: list[str] = []
    token = _gathered.set(texts)
    try:
        yield texts
    finally:
        _gathered.reset(token)


def show(text: str) -> None:
    """Data on stdout, at once: somebody may wait for it at the other end of a pipe."""
    texts = _gathered.get()
    if texts is not None:
        texts.append(text)
        return
    try:
        sys.stdout.write(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        give_up_stdout()
        raise AetherError(f"the output can not be written: {error.strerror or error}") from None


def asked_look() -> Look:
    return _look.get()


def give_up_stdout() -> None:
    """What could not be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_rows(output: Format, kind: str, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """A list, as it was asked for; as data each of it says by its `schema` what it is, unless `kind` is empty."""
    look = _look.get()
    found = arranged(columns, list(rows), look)
    if not output.is_data:
        show(render_table(columns, [row.cells for row in found], screen(output)))
        return
    if look.columns:
        raise InvalidArgument("--columns is for tables; -o json and its kind are always whole", field="--columns")
    show(render_data(output, [_marked(row.document, kind) for row in found], (row.name for row in found)))


def show_fields(
    output: Format, kind: str, fields: Iterable[tuple[str, Cell]], document: dict[str, Any], names: Iterable[str]
) -> None:
    """One thing, as it was asked for; fields without a value are left out."""
    if output.is_data:
        show(render_data(output, _marked(document, kind), names))
        return
    shown = screen(output)
    show(render_fields([(name, value) for name, value in fields if shown.text(value)], shown))


def _marked(document: Any, kind: str) -> Any:
    return {"schema": f"aether.{kind}/v1", **document} if kind else document


def screen(output: Format = Format.TABLE) -> Screen:
    """What stdout is; with `wide` nothing is cut."""
    found = screen_of(
        os.environ,
        is_terminal=sys.stdout.isatty(),
        width=get_terminal_size().columns,
        look=_look.get(),
        now_us=now_us(),
    )
    return evolve(found, width=_ENDLESS) if output is Format.WIDE and found.width else found
