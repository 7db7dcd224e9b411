"""Commands that show what goes on: `top` and `tail`."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from aether.cli.options import (
    DEFAULT_SERVER,
    POSITION_MAX,
    FilteredCommand,
    OutputOption,
    ServerOption,
    finite,
    reported,
)
from aether.cli.output import Format


def register(app: typer.Typer) -> None:
    app.command()(reported(top))
    app.command(cls=FilteredCommand)(reported(tail))


def top(
    view: Annotated[
        str, typer.Option(metavar="VIEW", help="Begin with overview, workflows, queues, workers or log.")
    ] = "overview",
    run: Annotated[str, typer.Option(metavar="ID", help="Begin with this run.")] = "",
    filter_text: Annotated[str, typer.Option("--filter", metavar="FILTER", help="Only runs that it means.")] = "",
    interval: Annotated[
        float,
        typer.Option(min=0.25, max=10, metavar="SECONDS", callback=finite, help="How often to look at the server."),
    ] = 1.0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Without the keys that change something.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end; so does a pipe.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="A line for each change, and no screen.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No characters beyond ASCII.")] = False,
    mouse: Annotated[bool, typer.Option("--mouse/--no-mouse", help="Begin with the mouse taken. [no]")] = False,
    export: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Show it once, in a file: .svg, .html, .txt, .json or .csv.")
    ] = None,
    record: Annotated[Path | None, typer.Option(metavar="PATH", help="Keep what is seen in this file.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Only record, and show nothing.")] = False,
    replay: Annotated[Path | None, typer.Option(metavar="PATH", help="Show what was kept in this file.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    output: OutputOption = Format.TABLE,
) -> None:
    """Watch a server: runs, queues, workers, what goes wrong. Press ? for the keys."""
    from aether.cli.clock import now_us
    from aether.cli.output import render_data
    from aether_tui.top import Options, run_top

    options = Options(
        server=server,
        now_us=now_us,
        view=view,
        run=run,
        filter=filter_text,
        interval_s=interval,
        read_only=read_only,
        is_once=once,
        is_plain=plain,
        ascii_only=ascii_only,
        has_mouse=mouse,
        is_headless=headless,
        data=partial(render_data, output) if output.is_data else None,
        export=export,
        record=record,
        replay=replay,
    )
    if not headless:
        # What the client logs is shown as it is, or is the error that this ends with: not one more line on stderr.
        logging.getLogger("aether").addHandler(logging.NullHandler())
    if code := run_top(options):
        raise typer.Exit(code)


def tail(
    terms: Annotated[
        list[str] | None, typer.Argument(metavar="[FILTER]...", help="Which runs: state:failed type:order* tag.x:1 …")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--event", metavar="EVENT", help="Only such events, as RunFailed; repeat it.")
    ] = None,
    last: Annotated[
        int, typer.Option("--last", "-n", min=0, max=1000, metavar="N", help="Begin among so many of the newest.")
    ] = 0,
    after: Annotated[
        int | None,
        typer.Option(min=0, max=POSITION_MAX, metavar="POSITION", help="Begin behind this position, as it was told."),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Tell results, inputs and tracebacks too.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="How to show it. [table; in a pipe jsonl]")
    ] = None,
) -> None:
    """Show what happens, over all runs, as it happens.

    Example: aether tail type:order --event RunFailed --event ActivityRetried
    """
    from aether.cli.tail import follow

    follow(server, output, terms or [], kinds or [], last=last, after=after, whole=whole)
