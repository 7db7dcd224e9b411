"""Recordings: what is kept is played, also when its end is missing; what is none is refused."""

import gzip
import json
from itertools import pairwise

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from aether.errors import InvalidArgument
from aether_tui.feed import Wants
from aether_tui.known import STARTED, Known, Look
from aether_tui.recording import Recording, ReplayFeed, Writer
from tests.unit.tui.world import METRICS, NOW_US, RUNS, ago

SECOND = 1_000_000


def looks(count):
    return [
        Look(NOW_US + number * SECOND, evolve(METRICS, at=ago(-number), runs_started=1000 + 10 * number), RUNS[:3])
        for number in range(count)
    ]


def recorded(path, seen):
    writer = Writer(path)
    for look in seen:
        writer.add(look)
    writer.close()
    return path


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    recording = Recording.opened(recorded(tmp_path / "a.gz", looks(3)))
    assert [recording.look(index) for index in range(len(recording))] == looks(3)


def test_at_most_one_look_a_second_is_kept(tmp_path):
    seen = looks(2)
    between = evolve(seen[0], at_us=seen[0].at_us + SECOND // 4)
    assert len(Recording.opened(recorded(tmp_path / "a.gz", [seen[0], between, seen[1]]))) == 2


def test_a_recording_whose_end_is_missing_is_good_up_to_there(tmp_path):
    path = recorded(tmp_path / "a.gz", looks(200))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert 50 < len(Recording.opened(path)) < 200


@pytest.mark.parametrize("content", [b"", b"text", gzip.compress(b"text"), gzip.compress(b'{"aether_top": 2}\n{}\n')])
def test_what_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match="is no recording"):
        Recording.opened(path)


def test_a_file_is_never_written_over(tmp_path):
    path = recorded(tmp_path / "a.gz", looks(1))
    with pytest.raises(InvalidArgument, match="can not be written: File exists"):
        Writer(path)


def test_a_damaged_look_is_told_and_passed_over(tmp_path):
    path = tmp_path / "a.gz"
    lines = [json.dumps(each) for each in ({"aether_top": 1}, {"at_us": 5, "metrics": 7}, {"other": 1})]
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).replace(" ", "").encode()))
    recording = Recording.opened(path)
    assert len(recording) == 1
    with pytest.raises(InvalidArgument, match="line 2 is no look"):
        recording.look(0)


def played(recording, script):
    """What is known, and the times on Trio's clock at which looks were shown, while `script` gives orders."""

    async def main():
        known, feed, times, is_paused = Known("x"), ReplayFeed(recording), [], [False]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                feed.run, lambda: Wants(is_paused=is_paused[0]), known, lambda: times.append(trio.current_time())
            )
            await script(feed, is_paused)
            nursery.cancel_scope.cancel()
        return known, times, feed

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_it_plays_as_it_went(tmp_path):
    async def script(feed, is_paused):
        await trio.sleep(60)

    known, times, feed = played(Recording.opened(recorded(tmp_path / "a.gz", looks(5))), script)
    assert [after - before for before, after in pairwise(times)] == pytest.approx([1] * 4)
    assert known.look == looks(5)[-1]
    assert known.log[-1].text == "ends here"
    assert feed.now_us() == NOW_US + 4 * SECOND


def test_it_stops_and_goes_back_and_on(tmp_path):
    async def script(feed, is_paused):
        await trio.sleep(100.5)
        assert feed.now_us() == NOW_US + 100 * SECOND
        is_paused[0] = True
        feed.nudge()
        await trio.sleep(1000)
        for order, second in (
            ({"looks": -1}, 99), ({"looks": -1}, 98), ({"looks": 1}, 99), ({"span_us": -60 * SECOND}, 39),
            ({"span_us": 60 * SECOND}, 99), ({"span_us": -999 * SECOND}, 0), ({"looks": -1}, 0),
            ({"span_us": 999 * SECOND}, 199), ({"looks": 1}, 199), ({"looks": -100}, 99),
            ({"day_s": 43_471 + 30}, 30), ({"day_s": 43_471}, 0), ({"day_s": 86_399}, 199), ({"day_s": 5}, 199),
            ({"looks": -100}, 99),
        ):  # fmt: skip
            feed.seek(**order)
            await trio.sleep(1)
            assert feed.now_us() == NOW_US + second * SECOND

    known, _, _ = played(Recording.opened(recorded(tmp_path / "a.gz", looks(200))), script)
    assert known.look == looks(200)[99]
    assert known.ring.rate(STARTED) == 10
