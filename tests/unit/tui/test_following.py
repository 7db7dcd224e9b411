"""What a server tells by itself, as it reaches what is known."""

from typing import Any

import trio
from trio.testing import MockClock

from aether import ServerUnavailable, WorkflowNotFound
from aether_tui.following import Listener, LogWants, RunFeed, Soon
from aether_tui.known import Known
from tests.unit.tui.world import EVENTS, NOW_US, ORDER, TIMELINE, known, logged, order_look


class Events:
    """A client that tells as many events as are wanted, and knows what it was asked."""

    def __init__(self, count=3, fault=None):
        self.count, self.fault = count, fault
        self.asked = []
        self.taken = 0

    async def events(self, filter_text, *, kinds, last, after, behind_max):
        self.asked.append((filter_text, kinds, last, after))
        if self.fault is not None:
            raise self.fault
        for number in range(self.count):
            self.taken += 1
            yield logged("StepCompleted", position=number + 1)
            await trio.lowlevel.checkpoint()
        await trio.sleep_forever()


def listened(client, *wants):
    """What is known after each of the wants was wanted for a second, and how often it was said that it is more."""
    seen = Known("x")
    now = wants[0]
    changes = 0

    def changed():
        nonlocal changes
        changes += 1

    async def main():
        nonlocal now
        listener = Listener()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.run, client, lambda: now, seen, changed, lambda: NOW_US)
            for each in wants:
                now = each
                listener.nudge()
                await trio.sleep(1)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return seen, changes


def test_events_are_asked_for_only_while_somebody_looks_and_go_on_where_they_were():
    client, wanted = Events(), LogWants("type:order", last=200)
    seen, _ = listened(client, None, wanted, None, wanted)
    assert client.asked == [("type:order", (), 200, None), ("type:order", (), 0, 3)]
    assert len(seen.log) == 6


def test_another_filter_begins_anew():
    client = Events()
    seen, _ = listened(client, LogWants("a", last=200), LogWants("b", last=200))
    assert [asked[2:] for asked in client.asked] == [(200, None), (200, None)]
    assert len(seen.log) == 3


def test_more_events_than_can_be_read_are_not_taken():
    client = Events(10_000)
    listened(client, LogWants())
    assert 300 <= client.taken <= 500


def test_what_keeps_events_from_coming_is_told_once():
    client = Events(fault=ServerUnavailable("nobody is there"))
    seen, changes = listened(client, LogWants(), *[LogWants()] * 20)
    assert [line.text for line in seen.log] == ["nobody is there"]
    assert (len(client.asked) > 1, changes) == (True, 1)


def test_whoever_paints_hears_of_many_changes_a_few_times_a_second():
    async def main():
        soon, times = Soon(), []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(soon.run, lambda: times.append(trio.current_time()))
            for _ in range(1_000):
                soon.set()
                await trio.sleep(0.001)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        return times

    times = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert 4 <= len(times) <= 6


class Run:
    """A handle whose run grows by an event at a time."""

    def __init__(self, fault=None):
        self.fault = fault
        self.statuses = 0

    async def status(self):
        self.statuses += 1
        if self.fault is not None:
            raise self.fault
        return order_look().status

    async def why(self):
        return "it failed"

    async def history(self, *, after_seq=0, follow=False):
        for event in EVENTS[after_seq:]:
            yield event
            await trio.lowlevel.checkpoint()

    async def timeline(self):
        return list(TIMELINE)

    async def follow_timeline(self):
        yield list(TIMELINE[:2])
        await trio.lowlevel.checkpoint()
        yield list(TIMELINE)


def test_a_run_that_is_open_on_the_screen_grows_with_what_it_is_told():
    async def main():
        seen: Any = Known("x")
        run: Any = Run()
        feed = RunFeed(ORDER, run, lambda: NOW_US)
        await feed.look(seen)
        assert (seen.run.events, seen.run.why) == ((), "it failed")
        await feed.follow(lambda: feed.show(seen))
        await feed.look(seen)
        assert run.statuses == 1, "a closed run is not asked for again"
        return seen.run

    look = trio.run(main)
    assert (look.events, look.timeline) == (EVENTS, TIMELINE)
    assert look.names == order_look().names


def test_a_run_that_is_started_after_it_was_opened_grows_all_the_same():
    class Late(Run):
        """One that is not there the first two times that somebody asks."""

        asked = 0

        async def history(self, *, after_seq=0, follow=False):
            self.asked += 1
            if self.asked <= 2:
                raise WorkflowNotFound("no such run")
            async for event in super().history(after_seq=after_seq):
                yield event

    async def main():
        seen: Any = Known("x")
        run: Any = Late()
        feed = RunFeed(ORDER, run, lambda: NOW_US)
        await feed.follow(lambda: feed.show(seen))
        return seen.run

    assert trio.run(main, clock=MockClock(autojump_threshold=0)).events == EVENTS


def test_a_run_is_looked_at_as_a_whole_once():
    async def main():
        seen: Any = Known("x")
        run: Any = Run()
        await RunFeed(ORDER, run, lambda: NOW_US).whole(seen)
        return seen.run

    assert trio.run(main).timeline == TIMELINE


def test_a_run_that_is_not_there_is_told():
    async def main():
        seen: Any = known()
        run: Any = Run(WorkflowNotFound("no such run"))
        await RunFeed(ORDER, run, lambda: NOW_US).whole(seen)
        return seen.run

    assert trio.run(main).fault == "no such run"
