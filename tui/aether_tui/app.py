"""`aether top` on a terminal: one nursery, and in it a task each for keys, signals, the feed, the clock and painting.

Everything that changes sets `_dirty`; the painter draws the newest state once the terminal has taken the last picture.
So a slow terminal skips pictures and never sees half of one, and keys are read all the while.
"""

import logging
import math
import os
import signal
from base64 import b64encode
from collections.abc import Callable
from typing import Final

import trio
from attrs import define, evolve, field, frozen
from rich.color import ColorSystem

from aether import AetherError, Client
from aether_tui.actions import ACTIONS
from aether_tui.commands import PAGE, press
from aether_tui.deeds import perform
from aether_tui.export import export_name, render
from aether_tui.feed import Feed, wants_of
from aether_tui.keys import Decoder, Key, Mouse
from aether_tui.known import Known, RunKey
from aether_tui.listing import run_key
from aether_tui.paint import Painter
from aether_tui.plain import INTERRUPTED
from aether_tui.pointing import point
from aether_tui.recording import ReplayFeed
from aether_tui.terminal import Terminal, TerminalGone, taken
from aether_tui.theme import Theme
from aether_tui.ui import Copy, Export, Gather, Mode, Perform, Quit, Refresh, Seek, Ui, Wish
from aether_tui.views.frame import frame
from aether_tui.views.scene import Drawn, Scene

# A lone Esc is the key after so much silence.
_SILENCE_S: Final = 0.05
_FRAMES_PER_S: Final = 20
# What a link is given without anybody pressing a key: four full pictures of a large screen in a second are less.
BYTES_PER_S: Final = 48_000
_TICK_S: Final = 1.0
_GATHERED_MAX: Final = 10_000
_GATHER_S: Final = 30.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)


@frozen
class Setup:
    """What does not change while it runs. `now_us` is the wall clock."""

    now_us: Callable[[], int]
    theme: Theme
    colours: ColorSystem | None
    # None: nothing can be changed, as with a recording.
    client: Client | None = None


@define
class App:
    setup: Setup
    feed: Feed
    known: Known
    ui: Ui
    terminal: Terminal
    exit_code: int = 0
    _painter: Painter = field(init=False)
    _dirty: trio.Event = field(factory=trio.Event)
    # Somebody waits for what a key does.
    _hurry: trio.Event = field(factory=trio.Event)
    _drawn: Drawn = field(factory=lambda: Drawn([], page=PAGE))
    # Goes to the terminal between two pictures.
    _extra: bytes = b""
    # What is shown while the picture is frozen, and since when.
    _frozen: tuple[Known, int] | None = None
    _nursery: trio.Nursery = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._painter = Painter(self.setup.colours)
        if self.ui.mouse:
            self._extra = self.terminal.switch_mouse(on=True)

    async def run(self) -> int:
        """Until somebody quits, or the terminal is gone. The exit code."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with trio.open_signal_receiver(*_SIGNALS) as signals:
                nursery.start_soon(self._read_keys)
                nursery.start_soon(self._paint)
                nursery.start_soon(self._tick)
                nursery.start_soon(self.feed.run, lambda: wants_of(self.ui), self.known, self._changed)
                async for number in signals:
                    self._signalled(number)
        return self.exit_code

    # What happens.

    def _signalled(self, number: int) -> None:
        if number == signal.SIGTSTP:
            self.terminal.suspend()
        if number in {signal.SIGTSTP, signal.SIGCONT}:
            self._painter.forget()
        if number in {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}:
            self._end(INTERRUPTED if number == signal.SIGINT else 0)
        self._changed()

    def _end(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._nursery.cancel_scope.cancel()

    def _changed(self) -> None:
        self._dirty.set()

    async def _tick(self) -> None:
        """Ages grow while nothing happens."""
        while True:
            await trio.sleep(_TICK_S)
            if not self.ui.is_frozen:
                self._changed()

    async def _read_keys(self) -> None:
        decoder = Decoder()
        while True:
            silence_s = _SILENCE_S if decoder.is_undecided else math.inf
            keys: list[Key] = []
            with trio.move_on_after(silence_s) as scope:
                try:
                    data = await self.terminal.read()
                except TerminalGone:
                    self._end(0)
                    return
                keys = decoder.feed(data)
            if scope.cancelled_caught:
                keys = decoder.settle()
            for key in keys:
                self._pressed(key)

    def _pressed(self, key: Key) -> None:
        was_frozen = self.ui.is_frozen
        if key == "ctrl-l":
            self._painter.forget()
        wishes = self._moved(key)
        if self.ui.is_frozen != was_frozen:
            # A recording stands still by itself.
            is_held = self.ui.is_frozen and not self.ui.is_replay
            self._frozen = (self.known.copied(), self.setup.now_us()) if is_held else None
        for wish in wishes:
            self._grant(wish)
        self._hurry.set()
        self._changed()

    def _moved(self, key: Key) -> tuple[Wish, ...]:
        known, had_mouse = self._shown()[0], self.ui.mouse
        wishes: tuple[Wish, ...] = ()
        if not isinstance(key, Mouse):
            self.ui, wishes = press(self.ui, known, key, self._drawn.page)
        elif had_mouse:
            # Else nobody has asked for it, and it is nothing.
            self.ui, wishes = point(self.ui, known, key, self._drawn)
        if self.ui.mouse != had_mouse:
            self._extra += self.terminal.switch_mouse(on=self.ui.mouse)
        return wishes

    def _grant(self, wish: Wish) -> None:
        if isinstance(wish, Quit):
            self._end(0)
        elif isinstance(wish, Refresh):
            self.feed.nudge()
        elif isinstance(wish, Seek) and isinstance(self.feed, ReplayFeed):
            self.feed.seek(wish.looks, wish.span_us, wish.day_s)
        elif isinstance(wish, Perform):
            self._nursery.start_soon(self._perform, wish)
        elif isinstance(wish, Gather):
            self._nursery.start_soon(self._gather, wish.filter)
        elif isinstance(wish, Export):
            self._notice(self._export(wish.form))
        elif isinstance(wish, Copy):
            # By OSC 52, which works over ssh; the terminal may refuse it.
            self._extra += b"\x1b]52;c;" + b64encode(wish.text.encode("utf-8", "replace")) + b"\x07"

    # What is done.

    async def _perform(self, wish: Perform) -> None:
        intent, client = wish.intent, self.setup.client
        name = ACTIONS[intent.kind].name
        if client is None or self.ui.read_only:
            return

        heard, count = 0, max(len(intent.runs), 1)

        def told(run: RunKey, is_done: bool, said: str) -> None:
            nonlocal heard
            heard += 1
            said = f"{name}: {said}"
            about = None if intent.queue else run
            self.known.note(self.setup.now_us(), "COMPLETED" if is_done else "FAILED", run[0], said, about)
            self._notice(f"{run[0]}: {said}" if count == 1 else f"{name}: {heard} of {count}")

        done = await perform(client, intent, told)
        if count > 1:
            left = f", {count - done} failed; the log says how" if done < count else ""
            self._notice(f"{name}: {done} of {count} done{left}")
        self.feed.nudge()

    async def _gather(self, filter_text: str) -> None:
        """Mark what the filter means, up to a bound."""
        client = self.setup.client
        if client is None:
            return
        try:
            with trio.fail_after(_GATHER_S):
                runs = [run_key(each) async for each in client.list(f"{filter_text} state:open", limit=_GATHERED_MAX)]
        except (trio.TooSlowError, AetherError) as error:
            self._notice(f"which runs the filter means is not known: {error}")
            return
        self.ui = evolve(self.ui, marked=self.ui.marked | frozenset(runs))
        more = ", the most that can be marked" if len(runs) == _GATHERED_MAX else ""
        self._notice(f"{len(self.ui.marked)} marked{more}")

    def _export(self, form: str) -> str:
        name = export_name(self.ui, self.setup.now_us(), form)
        try:
            with open(name, "x", encoding="utf-8") as file:  # noqa: PTH123 - a name in the current directory
                file.write(render(self._scene(*self.terminal.size()), form))
        except OSError as error:
            return f"{name} can not be written: {error.strerror or error}"
        return f"written to {name}"

    def _notice(self, text: str) -> None:
        if self.ui.mode is Mode.LOOK:
            self.ui = evolve(self.ui, notice=text)
        self._changed()

    # What is shown.

    def _shown(self) -> tuple[Known, int]:
        return self._frozen or (self.known, self.setup.now_us())

    def _scene(self, width: int, height: int) -> Scene:
        known, now_us = self._shown()
        return Scene(self.ui, known, width, height, self.setup.theme, known.server_time(now_us))

    async def _paint(self) -> None:
        while True:
            self._dirty = trio.Event()
            width, height = self.terminal.size()
            drawn = frame(self._scene(width, height))
            self.ui = self.ui.at(evolve(self.ui.cursor, top=drawn.top), moved=False)
            self._drawn = drawn
            extra, self._extra = self._extra, b""
            data = extra + self._painter.paint(drawn.picture, width)
            self._hurry = trio.Event()
            try:
                await self.terminal.write(data)
            except TerminalGone:
                self._end(0)
                return
            await trio.sleep(1 / _FRAMES_PER_S)
            with trio.move_on_after(len(data) / BYTES_PER_S):
                await self._hurry.wait()
            await self._dirty.wait()


class LogHandler(logging.Handler):
    """What libraries log becomes lines of the log view: on the screen it would tear the picture."""

    def __init__(self, note: Callable[[str, str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        state = "FAILED" if record.levelno >= logging.ERROR else "RETRYING"
        self._note(state, record.name, record.getMessage())


def run_on_terminal(name: str, make: Callable[[Terminal], App], note: Callable[[str, str, str], None]) -> int:
    """Takes the terminal, runs the app on it, gives it back. The exit code."""
    handler = LogHandler(note)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with taken(name, lambda text: note("NEWS", f"pid {os.getpid()}", text)) as terminal:
            return trio.run(make(terminal).run)
    finally:
        root.removeHandler(handler)
