"""A line for each change and no cursor that moves: for screen readers, logs and pipes."""

import signal
from collections.abc import Callable
from typing import Final

import trio
from attrs import evolve

from aether_tui.feed import Feed, wants_of
from aether_tui.following import CHANGES, LogWants
from aether_tui.known import Known
from aether_tui.lines import shown
from aether_tui.out import write
from aether_tui.sizes import clock
from aether_tui.theme import Theme
from aether_tui.ui import Ui
from aether_tui.views.overview import facts
from aether_tui.views.scene import Scene

INTERRUPTED: Final = 130
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PlainLines:
    """Tells each line of the log once, and the server's numbers when they are others than last time."""

    def __init__(self, known: Known, ui: Ui) -> None:
        self._known = known
        self._ui = ui
        self._told_until = 0
        self._facts: list[str] = []

    def news(self, now_us: int) -> list[str]:
        known = self._known
        out = []
        for line in known.log:
            if line.number > self._told_until:
                self._told_until = line.number
                out.append(
                    " ".join(filter(None, (clock(line.at_us), shown(line.subject), line.event, shown(line.text))))
                )
        if known.look is not None and known.lost is None:
            scene = Scene(self._ui, known, 80, 24, Theme(ascii_only=True), known.server_time(now_us))
            told = facts(scene, known.look.metrics)
            out += [f"{clock(now_us)} {shown(fact)}" for fact in told if fact not in self._facts]
            self._facts = told
        return out


async def run_plain(
    feed: Feed, known: Known, ui: Ui, now_us: Callable[[], int], say: Callable[[str], None] = write
) -> int:
    """Until it is told to stop, or nobody reads any more. The exit code."""
    lines = PlainLines(known, ui)
    exit_code = 0
    async with trio.open_nursery() as nursery:

        def tell() -> None:
            try:
                say("".join(f"{line}\n" for line in lines.news(now_us())))
            except BrokenPipeError:
                nursery.cancel_scope.cancel()

        async def play() -> None:
            await feed.run(lambda: evolve(wants_of(ui), log=LogWants(ui.filter, CHANGES)), known, tell)
            nursery.cancel_scope.cancel()

        with trio.open_signal_receiver(*_ENDS) as signals:
            nursery.start_soon(play)
            async for number in signals:
                exit_code = INTERRUPTED if number == signal.SIGINT else 0
                nursery.cancel_scope.cancel()
    return exit_code
