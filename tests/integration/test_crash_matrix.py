"""A server dies at every record of a reference workload, and in the middle of what it does: nothing shows in the end.

Each case is a workload of its own on a database of its own, with a real server that kills itself, a real worker and a
real client. The final state has to be that of a workload whose server did not die.
"""

import random
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
import trio

from aether.server.settings import Persistence
from tests.integration.crashes import MAIN, OTHER, Case, Forges, Lane, Seen, Told, lanes, read

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180), pytest.mark.parametrize("anyio_backend", ["trio"])]

LANES = 4
RESULTS = {MAIN: ["paid 2", 20, 7, True, 27], OTHER: "WorkflowCancelled"}
EVENTS_MIN = 35


class Matrix:
    """Plays cases side by side, each against what the workload comes to when nobody dies."""

    def __init__(self, made: list[Lane], wanted: Told) -> None:
        self._lanes = made
        self._wanted = wanted
        self.events = wanted.events
        self.deaths = 0

    async def play(self, cases: Iterable[Case]) -> None:
        left = iter(cases)
        async with trio.open_nursery() as nursery:
            for lane in self._lanes:
                nursery.start_soon(self._play, lane, left)

    async def _play(self, lane: Lane, cases: Iterable[Case]) -> None:
        for case in cases:
            seen, db = await lane.play(case)
            self.deaths += seen.deaths
            self._check(case, seen, await trio.to_thread.run_sync(read, db))

    def _check(self, case: Case, seen: Seen, told: Told) -> None:
        assert seen.results == RESULTS, case
        assert told.faults == [], case
        if case.left < 1:
            # A run that had ended may be open again.
            history = told.histories[MAIN]
            assert history == self._wanted.histories[MAIN][: len(history)], case
            return
        assert told.histories.keys() == self._wanted.histories.keys(), case
        for name, history in told.histories.items():
            wanted = self._wanted.histories[name]
            # What its client has waited for may be lost before the cancel comes.
            first = -1 if case.may_lose and name == OTHER else 0
            assert history[first:] == wanted[first:], f"{case}: {name}"
        assert told.signals == 1, case
        if not case.may_lose:
            assert seen.ran_again() == [], case


@pytest.fixture(scope="module")
def forges() -> Iterator[Forges]:
    pool = Forges()
    yield pool
    pool.close()


@pytest.fixture
async def matrix(tmp_path: Path, anyio_backend: str, forges: Forges) -> AsyncIterator[Matrix]:
    async with lanes(tmp_path, LANES, forges) as made:
        seen, db = await made[0].play(Case())
        assert seen.deaths == 0
        assert seen.results == RESULTS
        wanted = await trio.to_thread.run_sync(read, db)
        assert len(wanted.events) >= EVENTS_MIN
        yield Matrix(made, wanted)


async def test_a_server_may_die_at_every_record_and_in_the_middle_of_writing_it(matrix: Matrix) -> None:
    cases = [Case(((*event, place),)) for place in ("before", "after") for event in matrix.events]
    cases += [Case(((*event, "between"),)) for event in matrix.events[::2]]
    cases += [Case(((*event, "unflushed"),)) for event in matrix.events[1::2]]
    await matrix.play(cases)
    assert matrix.deaths == len(cases), "each of them"


async def test_a_server_may_die_while_it_recovers_and_again_after_that(matrix: Matrix) -> None:
    cases = [
        Case(((*event, "after"), (0, 0, place), (0, 0, place)))
        for place in ("opening", "reading", "recovering")
        for event in matrix.events[::5]
    ]
    main = [event for event in matrix.events if event[0] == 1]
    draw = random.Random(11)
    cases += [Case(tuple((*event, "after") for event in sorted(draw.sample(main, 4)))) for _ in range(6)]
    await matrix.play(cases)
    assert matrix.deaths >= 2.5 * len(cases)


async def test_in_mode_snapshot_all_comes_to_the_same_end(matrix: Matrix) -> None:
    events = matrix.events[::3]
    await matrix.play(
        Case(((*event, place),), Persistence.SNAPSHOT) for place in ("before", "between", "after") for event in events
    )
    assert matrix.deaths == 3 * len(events)


async def test_a_clock_that_is_set_while_no_server_runs_holds_up_nothing(matrix: Matrix) -> None:
    events = [event for event in matrix.events if event[0] == 1]
    cases = [Case(((*event, "after"),), clock_step_s=-3600) for event in events]
    cases += [Case(((*event, "after"),), clock_step_s=3600) for event in events[::4]]
    await matrix.play(cases)
    assert matrix.deaths == len(cases)


async def test_a_log_that_the_disk_has_torn_is_taken_up_where_it_is_whole(matrix: Matrix) -> None:
    """What was acknowledged behind that place is lost, which no database can help, and all goes on from there."""
    draw = random.Random(5)
    lefts = (0.0, 0.999, *(draw.random() for _ in range(10)))
    await matrix.play(Case(((*draw.choice(matrix.events), "after"),), left=left) for left in lefts)
    assert matrix.deaths == len(lefts)
