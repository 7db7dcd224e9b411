"""`aether top` where things are not as they should be: terminals that do not read, servers that talk nonsense."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from itertools import pairwise

import pytest
import trio

import aether as sdk
from aether.errors import ServerUnavailable, WorkflowNotFound
from aether_tui.feed import LiveFeed, Wants
from aether_tui.known import Known
from aether_tui.terminal import LEAVE
from tests.processes import ROOT, Server, environment
from tests.unit.tui.world import METRICS, NOW_US, ORDER, RUNS

_LOOKS_MAX = 400
_PAUSE_S = 0.025


def waiting_bytes(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))[0]


def assert_given_back(fd):
    """What is left to read ends with what gives the terminal back."""
    shown = bytearray()

    def ends():
        while waiting_bytes(fd):
            shown.extend(os.read(fd, 65_536))
        return shown.endswith(LEAVE.encode())

    until(ends)


def until(is_so):
    for _ in range(_LOOKS_MAX):
        if is_so():
            return
        time.sleep(_PAUSE_S)
    raise AssertionError("it did not come to that")


@pytest.fixture
def stalled(tmp_path):
    """`aether top` on a terminal that has stopped reading in the middle of a picture: the process and the terminal."""
    with Server(tmp_path, "--metrics-port", "0") as server:
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        before = termios.tcgetattr(theirs)
        process = subprocess.Popen(
            [sys.executable, "-m", "aether.cli", "top", "--server", server.url],
            cwd=tmp_path, env=environment(PYTHONPATH=f"{ROOT}:{ROOT}/tui"), stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        try:
            until(lambda: waiting_bytes(ours) > 100)
            is_full = [0, -1, -2]

            def stands_still():
                # Whole pictures are asked for until not one byte more goes through, several looks in a row.
                os.write(ours, b"\x0c")
                is_full.append(waiting_bytes(ours))
                return len(set(is_full[-8:])) == 1

            until(stands_still)
            yield process, ours, before
            assert termios.tcgetattr(theirs) == before
        finally:
            process.kill()
            process.wait()
            os.close(ours)
            os.close(theirs)


def test_keys_are_read_while_the_terminal_stands_still_and_it_is_given_back(stalled):
    process, ours, _ = stalled
    os.write(ours, b"q")
    assert process.wait(10) == 0
    assert_given_back(ours)


def test_a_terminal_that_stands_still_is_given_back_on_ctrl_c_too(stalled):
    process, ours, _ = stalled
    process.send_signal(2)
    assert process.wait(10) == 130
    assert_given_back(ours)


# Servers.


class Answers:
    """A client whose server says what the test wants; the last answer stays."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def metrics(self, *, samples=False):
        await trio.lowlevel.checkpoint()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            await trio.sleep_forever()
        return answer

    async def list(self, filter, *, limit, doing=False, oldest_first=False):  # noqa: A002
        await trio.lowlevel.checkpoint()
        if "(" in filter:
            raise sdk.InvalidArgument("no term begins with (")
        for info in RUNS:
            yield info

    async def queues(self):
        return []

    async def events(self, *_, **__):
        await trio.sleep_forever()
        yield

    def handle(self, workflow_id, run_id):
        return self

    async def history(self, **_):
        raise WorkflowNotFound("no run has the id 'order-9f2c11'")
        yield

    follow_timeline = history

    async def status(self):
        raise WorkflowNotFound("no run has the id 'order-9f2c11'")


async def watched(client, looks, wants=None):
    """What is known after so many looks, and when each of them was."""
    known = Known("http://nowhere")
    times = []
    feed = LiveFeed(client, lambda: NOW_US + int(trio.current_time() * 1e6))

    async with trio.open_nursery() as nursery:

        def changed():
            times.append(trio.current_time())
            if len(times) == looks:
                nursery.cancel_scope.cancel()

        nursery.start_soon(feed.run, lambda: wants or Wants(), known, changed)
    return known, [after - before for before, after in pairwise(times)]


def run(function, *arguments):
    from trio.testing import MockClock

    return trio.run(function, *arguments, clock=MockClock(autojump_threshold=0))


def test_a_server_that_does_not_answer_is_asked_ever_less_often_and_told_of():
    known, pauses = run(watched, Answers(ServerUnavailable("nobody is there")), 12)
    assert known.lost is not None
    assert known.lost.reason == "nobody is there"
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(0.5)
    assert pauses[-1] == pytest.approx(10)
    assert len(known.log) == 1


def test_a_server_that_hangs_is_given_up_after_a_while():
    known, pauses = run(watched, Answers(METRICS, None), 3)
    assert known.lost is not None
    assert "no answer within 5 s" in known.lost.reason
    assert known.look is not None
    assert pauses == [pytest.approx(6), pytest.approx(5.5)]


@pytest.mark.parametrize(
    "nonsense", [ValueError("17 is not a valid RunState"), OverflowError("year 9999"), KeyError("x")]
)
def test_nonsense_is_told_and_looked_at_again(nonsense):
    known, _ = run(watched, Answers(nonsense, nonsense, METRICS), 2)
    assert known.lost is not None
    assert known.lost.reason.startswith("not understood: ")
    known, _ = run(watched, Answers(nonsense, nonsense, METRICS), 3)
    assert known.lost is None
    assert known.look is not None


def test_a_filter_that_is_refused_leaves_the_rest():
    known, _ = run(watched, Answers(METRICS), 1, Wants(filter="("))
    assert known.look is not None
    assert known.look.filter_fault == "no term begins with ("
    assert known.lost is None


def test_a_run_that_is_gone_is_told_where_it_would_be():
    known, _ = run(watched, Answers(METRICS), 1, Wants(run=ORDER))
    assert known.run is not None
    assert known.run.fault == "no run has the id 'order-9f2c11'"
    assert known.lost is None


def test_looks_keep_the_pace_that_is_wanted():
    _, pauses = run(watched, Answers(METRICS), 5, Wants(rate_s=0.25))
    assert pauses == [pytest.approx(0.25)] * 4
