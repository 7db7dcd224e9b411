"""The app on a terminal that only remembers: how much it is told, and how soon after a key."""

from itertools import pairwise
from typing import Any

import trio
from attrs import evolve
from trio.testing import MockClock

from aether_tui.app import BYTES_PER_S, App, Setup
from aether_tui.theme import Theme
from tests.unit.tui.world import METRICS, NOW_US, RUNS, known, ui


class Terminal:
    def __init__(self, keys=()):
        # What is typed, and when.
        self.keys = list(keys)
        self.written: list[tuple[float, int]] = []
        self.has_mouse = False

    def size(self):
        return 160, 50

    async def read(self):
        if not self.keys:
            await trio.sleep_forever()
        at, data = self.keys.pop(0)
        await trio.sleep_until(at)
        return data

    async def write(self, data):
        await trio.lowlevel.checkpoint()
        self.written.append((trio.current_time(), len(data)))


class Restless:
    """A feed on which every number is another one, forty times a second."""

    async def run(self, wants, seen, changed):
        number = 0
        while True:
            number += 1
            turned = tuple(evolve(info, workflow_id=f"{number}-{info.workflow_id}") for info in RUNS)
            seen.look = evolve(seen.look, metrics=METRICS, runs=turned)
            changed()
            await trio.sleep(1 / 40)

    def nudge(self):
        pass


def shown(view, keys=(), seconds=30):
    """When what was written."""
    terminal: Any = Terminal(keys)

    async def main():
        app = App(Setup(lambda: NOW_US, Theme(), None), Restless(), known(), ui(view), terminal)
        with trio.move_on_after(seconds):
            await app.run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return terminal.written


def test_a_link_is_given_no_more_than_it_was_promised_however_much_changes():
    written = shown("workflows")
    largest = max(length for _, length in written)
    assert sum(length for _, length in written) <= 30 * BYTES_PER_S + largest
    assert len(written) > 60


def test_what_a_key_does_is_shown_at_once():
    slow = shown("workflows")
    gaps = [after - before for (before, _), (after, _) in pairwise(slow)]
    assert max(gaps) > 0.1
    at = slow[5][0] + 0.06
    written = shown("workflows", [(at, b"j")])
    assert min(time for time, _ in written if time >= at) - at < 0.05
