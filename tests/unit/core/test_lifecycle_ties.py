"""A cancel in the same tick as what the run waits for, in both orders: it is never lost, and the run ends once."""

from collections.abc import Callable

import pytest

from aether.core.effects import CancelAccepted, NotOpen
from aether.core.run import Child
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Payload
from aether.model.policy import RetryPolicy
from tests.integration.cancel_grid import cases
from tests.unit.core.engine_room import BOOM, CLOSING, Room, activity, child, done, step

WAIT_S = 5


def wait(room: Room, blocked: str, token: int) -> Callable[[], object]:
    """Let the run wait as it is told to; what ends the wait, to be called when `WAIT_S` have passed."""
    if blocked == "step":
        return lambda: room.complete(token, step("1"))
    if blocked == "activity":
        room.park(token, activity("1"))
        token = room.attempt("1")
        return lambda: room.complete(token, c.CompleteActivity(Payload(b"1")))
    if blocked == "child":
        room.park(token, child("1", id="kid"))
        kid = room.token("kid")
        return lambda: room.complete(kid, done())
    if blocked == "queue":
        room.park(token, activity("1", "rare"))
        return lambda: room.open(7, activities=("rare",))
    if blocked == "back-off":
        policy = RetryPolicy(initial_s=WAIT_S, maximum_s=WAIT_S, jitter=0)
        room.park(token, c.FailStep("1", "s", BOOM, 1, policy))
        room.park(token)
        return room.tick
    if blocked == "sleep":
        room.park(token, c.StartTimer("1", WAIT_S * 1000))
        return room.tick
    room.park(token, c.StartTimer("1.1.1", WAIT_S * 1000), activity("1.2.1"), child("1.3.1", id="kid"))
    kid, attempt = room.token("kid"), room.attempt("1.2.1")

    def all_of_them() -> None:
        room.tick()
        room.complete(attempt, c.CompleteActivity(Payload(b"1")))
        room.complete(kid, done())

    return all_of_them


def begin(asked_by: str) -> tuple[Room, Callable[[], object]]:
    """A run `w` at a worker, and what asks it to stop."""
    room = Room()
    room.open()
    if asked_by == "parent":
        room.start("p")
        parent = room.token("p")
        room.park(parent, child("1", "order", id="w"))
        return room, lambda: room.complete(parent, c.CancelPending("1"))
    if asked_by == "run timeout":
        room.start(run_timeout_ms=WAIT_S * 1000)
        return room, room.tick
    room.start()
    return room, room.cancel


def obey(room: Room) -> None:
    """What a worker does that was told to stop: give up what the run waits for, and then the run."""
    for _ in range(10):
        if not room.is_open():
            return
        assert room.run().cancel_requested
        if room.run().lease is None:
            # Nobody has taken what it was waiting for.
            room.sleep(room.limits.cancel_grace_ms / 1000)
            continue
        for name in [item.workflow_id for item in room.run().pending.values() if isinstance(item, Child)]:
            room.complete(room.token(name), c.CancelRun())
        if room.run().pending:
            room.complete(room.token(), *(c.CancelPending(path) for path in list(room.run().pending)))
            for item in list(room.run().pending.values()):
                if not isinstance(item, Child) and getattr(item, "lease", None) is not None:
                    room.complete(item.lease.token, c.CancelActivity())
        else:
            room.complete(room.token(), c.CancelRun())
    raise AssertionError("it does not end")


@pytest.mark.parametrize("cancel_first", [True, False])
@pytest.mark.parametrize(("blocked", "asked_by"), cases("same tick", "api", "parent", "run timeout"))
def test_a_cancel_in_the_same_tick_as_the_end_of_the_wait_is_not_lost(
    blocked: str, asked_by: str, cancel_first: bool
) -> None:
    room, ask = begin(asked_by)
    complete = wait(room, blocked, room.token())
    room.now += WAIT_S * 1_000_000
    for act in (ask, complete) if cancel_first else (complete, ask):
        act()
    if asked_by == "run timeout":
        assert isinstance(room.last(), e.RunFailed)
    else:
        obey(room)
        assert isinstance(room.last(), e.RunCancelled)
        assert room.kinds().count("CancelRequested") == 1
    assert sum(isinstance(fact, CLOSING) for fact in room.history()) == 1
    if asked_by == "parent":
        assert room.kinds("p").count("ChildCancelled") == 1


@pytest.mark.parametrize("cancel_first", [True, False])
@pytest.mark.parametrize("asked_by", ["api", "parent", "run timeout"])
@pytest.mark.parametrize("end", [done(), c.FailRun(BOOM), c.CancelRun()])
def test_a_cancel_in_the_same_tick_as_the_end_of_the_run_changes_nothing_that_was_recorded(
    end: c.Command, asked_by: str, cancel_first: bool
) -> None:
    room, ask = begin(asked_by)
    token = room.token()
    room.now += WAIT_S * 1_000_000
    if cancel_first:
        ask()
        room.complete(token, end)
    else:
        room.complete(token, end)
        ask()
    assert not room.is_open()
    assert sum(isinstance(fact, CLOSING) for fact in room.history()) == 1
    assert ("CancelRequested" in room.kinds()) == (cancel_first and asked_by != "run timeout")


def test_whoever_cancels_is_told_whether_there_was_something_to_cancel() -> None:
    room, ask = begin("api")
    assert isinstance(ask(), CancelAccepted)
    assert isinstance(ask(), CancelAccepted), "it is being cancelled"
    room.complete(room.token(), c.CancelRun())
    assert isinstance(ask(), NotOpen)


@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_cancel_in_the_same_tick_as_the_first_worker_is_not_lost(cancel_first: bool) -> None:
    room = Room()
    room.start()
    for act in (room.cancel, room.open) if cancel_first else (room.open, room.cancel):
        act()
    obey(room)
    assert isinstance(room.last(), e.RunCancelled)
    assert ("RunStarted" in room.kinds()) == (not cancel_first)


@pytest.mark.parametrize(
    "order", [("close", "cancel"), ("cancel", "close"), ("cancel", "restart"), ("restart", "cancel")]
)
@pytest.mark.parametrize("blocked", [blocked for blocked, _ in cases("same tick", "api")])
def test_a_cancel_in_the_same_tick_as_the_loss_of_the_worker_or_the_server_is_not_lost(
    blocked: str, order: tuple[str, str]
) -> None:
    room, ask = begin("api")
    wait(room, blocked, room.token())
    for name in order:
        {"close": room.close, "cancel": ask, "restart": room.restart}[name]()
    room.open(2)
    obey(room)
    assert isinstance(room.last(), e.RunCancelled)
    assert isinstance(room.history()[0], e.RunCreated)
