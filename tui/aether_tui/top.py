"""What `aether top` does with its options: a screen, a line for each change, one picture, or JSON."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import Final

import trio
from attrs import frozen
from rich.color import ColorSystem

from aether import Client, InvalidArgument
from aether_tui.app import App, Setup, run_on_terminal
from aether_tui.export import FORMS, document, render
from aether_tui.feed import Feed, LiveFeed, look, wants_of
from aether_tui.following import RunFeed
from aether_tui.known import Known, RunKey
from aether_tui.lines import plain
from aether_tui.out import write
from aether_tui.paint import Painter
from aether_tui.plain import run_plain
from aether_tui.recording import Recorder, Recording, ReplayFeed
from aether_tui.terminal import Terminal, find_terminal
from aether_tui.theme import Theme
from aether_tui.ui import MAIN_VIEWS, RATES_S, Ui, View
from aether_tui.views.frame import frame
from aether_tui.views.scene import Scene

# A request is repeated for so long before the server counts as lost.
_TIMEOUT_S: Final = 2.0
# Of a picture that no terminal bounds.
_WIDTH, _HEIGHT = 118, 40


@frozen
class Options:
    """As the command line gives them. `now_us` is the wall clock."""

    server: str
    now_us: Callable[[], int]
    view: str = View.OVERVIEW
    # A workflow id.
    run: str = ""
    filter: str = ""
    interval_s: float = 1.0
    read_only: bool = False
    is_once: bool = False
    is_plain: bool = False
    # Makes text of a document, and of the names of what is in it; None: a picture is wanted.
    data: Callable[[object, Sequence[str]], str] | None = None
    ascii_only: bool = False
    has_mouse: bool = False
    is_headless: bool = False
    export: Path | None = None
    record: Path | None = None
    replay: Path | None = None


def run_top(options: Options) -> int:
    """The exit code. Raises `InvalidArgument` for options that say nothing sensible, and what one look raises."""
    ui = _chosen(options)
    if options.replay is not None and options.record is not None:
        raise InvalidArgument("--record and --replay do not go together", field="--replay")
    recording = None if options.replay is None else Recording.opened(options.replay)
    # A dumb terminal can not move its cursor.
    terminal = find_terminal() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else None
    if options.is_headless and options.record is None:
        raise InvalidArgument("without a screen there must be a file to record to: --record", field="--headless")
    is_one_look = options.is_once or options.data is not None or options.export is not None
    if options.is_plain and is_one_look:
        raise InvalidArgument("--plain goes on, so it does not go with --once, -o or --export", field="--plain")
    if options.is_plain or options.is_headless:
        tell = (lambda text: None) if options.is_headless else write
        return trio.run(run_plain, _feed(options, recording), Known(_target(options)), ui, options.now_us, tell)
    if is_one_look or terminal is None:
        return trio.run(_once, options, ui, recording)
    return _on_screen(options, ui, recording, terminal)


def _chosen(options: Options) -> Ui:
    if options.view not in MAIN_VIEWS:
        views = ", ".join(MAIN_VIEWS)
        raise InvalidArgument(f"there is no view {options.view!r}; there are {views}", field="--view")
    rate = min(range(len(RATES_S)), key=lambda index: abs(RATES_S[index] - options.interval_s))
    opened: tuple[RunKey, ...] = ((options.run, ""),) if options.run else ()
    view = View(options.view)
    return Ui(
        View.RUN if options.run else view,
        opened,
        view,
        filter=options.filter,
        rate=rate,
        read_only=options.read_only or options.replay is not None,
        follow=view is View.LOG,
        is_replay=options.replay is not None,
        mouse=options.has_mouse,
    )


def _target(options: Options) -> str:
    return options.server if options.replay is None else f"recording {options.replay.name}"


def _feed(options: Options, recording: Recording | None) -> Feed:
    if recording is not None:
        return ReplayFeed(recording)
    live = LiveFeed(Client(options.server, timeout_s=_TIMEOUT_S), options.now_us)
    return live if options.record is None else Recorder.beside(live, options.record)


def colours_of(environ: Mapping[str, str]) -> ColorSystem | None:
    """Sixteen colours, or none where nobody wants them."""
    return None if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else ColorSystem.STANDARD


def _on_screen(options: Options, ui: Ui, recording: Recording | None, terminal_name: str) -> int:
    known = Known(_target(options))
    feed = _feed(options, recording)
    now_us = feed.now_us if isinstance(feed, ReplayFeed) else options.now_us
    client = feed.client if isinstance(feed, LiveFeed | Recorder) else None

    def note(state: str, subject: str, text: str) -> None:
        known.note(now_us(), state, subject, text)

    def make(terminal: Terminal) -> App:
        setup = Setup(now_us, Theme(options.ascii_only), colours_of(os.environ), client)
        return App(setup, feed, known, ui, terminal)

    return run_on_terminal(terminal_name, make, note)


async def _once(options: Options, ui: Ui, recording: Recording | None) -> int:
    """One look, and one picture of it."""
    known = Known(_target(options))
    now_us = options.now_us()
    if recording is not None:
        known.take_look(recording.look(len(recording) - 1))
        now_us = known.look.at_us if known.look else now_us
    else:
        await _look(options, ui, known)
    if options.data is not None:
        names = [info.workflow_id for info in known.look.runs] if known.look else []
        write(options.data(document(known), names))
        return _exit_code(known)
    size = get_terminal_size((_WIDTH, _HEIGHT))
    width, height = (size.columns, size.lines - 1) if sys.stdout.isatty() else (_WIDTH, _HEIGHT)
    scene = Scene(ui, known, width, height, Theme(options.ascii_only), known.server_time(now_us))
    if options.export is not None:
        _export(scene, options.export)
    elif sys.stdout.isatty():
        write(Painter(colours_of(os.environ)).lines(frame(scene).picture))
    else:
        write(plain(frame(scene).picture) + "\n")
    return _exit_code(known)


def _exit_code(known: Known) -> int:
    """1 when the run that was asked for can not be shown."""
    return 1 if known.run is not None and known.run.fault else 0


async def _look(options: Options, ui: Ui, known: Known) -> None:
    client = Client(options.server, timeout_s=_TIMEOUT_S)
    async with client:
        known.take_look(await look(client, wants_of(ui), options.now_us))
        if ui.opened:
            await RunFeed(ui.opened[-1], client.handle(*ui.opened[-1]), options.now_us).whole(known)


def _export(scene: Scene, path: Path) -> None:
    form = path.suffix.removeprefix(".")
    if form not in FORMS:
        forms = ", ".join(f".{each}" for each in FORMS)
        raise InvalidArgument(f"{path.name} ends with none of {forms}", field="--export")
    try:
        path.write_text(render(scene, form), encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"{path} can not be written: {error.strerror or error}", field="--export") from None
