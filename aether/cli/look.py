"""The options by which somebody says how a list is shown, for all commands that show one; and `--watch`."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from aether.cli.clock import pause
from aether.cli.moments import Times
from aether.cli.options import finite, gathering, looking, say, show
from aether.cli.output import Colour, Look
from aether.cli.reader import end_with_reader
from aether.errors import AetherError

C = TypeVar("C", bound=Callable[..., Any])

_COLOUR = Annotated[Colour, typer.Option("--color", help="When to colour what is shown.")]
_TIME = Annotated[
    Times | None, typer.Option("--time", envvar="AETHER_TIME", show_envvar=False, help="How to show times. [utc]")
]
_COLUMNS = Annotated[str, typer.Option("--columns", metavar="NAMES", help="Only these, with commas between.")]
_HEADERS = Annotated[bool, typer.Option("--no-headers", help="Without the line of titles.")]
_SORT = Annotated[str, typer.Option("--sort", metavar="[-]NAME", help="Sort by this column; -NAME: backwards.")]
_WATCH = Annotated[bool, typer.Option("--watch", help="Show it again and again; stop with Ctrl-C.")]
_EVERY = Annotated[
    float, typer.Option("--every", min=0.1, metavar="SECONDS", callback=finite, help="How often to watch. [2]")
]
# A terminal: to the corner; clear the rest of a line; clear what is below.
_HOME, _CLEAR_LINE, _CLEAR_BELOW, _CLEAR_ALL = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


def looks(*, table: bool = False, times: bool = False, watch: bool = False) -> Callable[[C], C]:
    """Gives a command these options, in front of `--server` or `--output`.

    A watched command that returns True is not shown again: nothing of it will change any more.
    """
    wanted: dict[str, tuple[object, object]] = {}
    if table:
        wanted |= {"columns": (_COLUMNS, ""), "no_headers": (_HEADERS, False), "sort": (_SORT, "")}
    if times:
        wanted["times"] = (_TIME, None)
    if watch:
        wanted |= {"watch": (_WATCH, False), "every": (_EVERY, 2.0)}
    wanted["colour"] = (_COLOUR, Colour.AUTO)

    def decorate(command: C) -> C:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            asked = {name: kwargs.pop(name, default) for name, (_, default) in wanted.items()}
            look = Look(
                columns=tuple(name.strip() for name in asked.get("columns", "").split(",") if name.strip()),
                has_titles=not asked.get("no_headers", False),
                sort=asked.get("sort", ""),
                times=asked.get("times"),
                colour=asked["colour"],
            )
            with looking(look):
                if asked.get("watch"):
                    _watch(functools.partial(command, *args, **kwargs), asked["every"])
                else:
                    # What it returns says that there is no more to watch; it would become the exit code.
                    command(*args, **kwargs)

        run.__signature__ = _with_options(inspect.signature(command), wanted)  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def _with_options(signature: inspect.Signature, wanted: dict[str, tuple[object, object]]) -> inspect.Signature:
    there = list(signature.parameters.values())
    place = next(index for index, each in enumerate(there) if each.name in {"server", "output"})
    kind = there[place].kind
    options = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, (annotation, default) in wanted.items()
    ]
    return signature.replace(parameters=[*there[:place], *options, *there[place:]])


def _watch(ask: Callable[[], object], every_s: float) -> None:
    """On a terminal it is shown in place; elsewhere only when it is something else than before."""
    before, is_away = "", False
    is_screen = sys.stdout.isatty()
    end_with_reader()
    show(_CLEAR_ALL if is_screen else "")
    while True:
        with gathering() as texts:
            try:
                is_over = ask()
            except AetherError as error:
                # What was there before stays; it may come back.
                if not error.is_retryable or not before:
                    raise
                if not is_away:
                    say(f"aether: {error}; waiting for it")
                is_away, is_over, texts[:] = True, False, [before]
            else:
                is_away = False
        text = "".join(texts)
        if is_screen:
            lines = (line + _CLEAR_LINE for line in text.splitlines())
            show(_HOME + "\n".join(lines) + "\n" + _CLEAR_BELOW)
        elif text != before:
            show(text)
        if is_over is True:
            return
        before = text
        pause(every_s)
