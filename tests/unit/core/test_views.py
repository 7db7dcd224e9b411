"""What there is to see of a run, of the workers and of the queues."""

import pytest

from aether.core import inputs as i
from aether.core.queues import QueueKey
from aether.core.views import Detail, PendingView, QueueView, RunView, detail_of
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import RetryPolicy
from aether.model.runs import RunState, TaskKind
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child, data


@pytest.fixture
def room():
    return Room()


def seen(room: Room, id: str = "w") -> RunView:  # noqa: A002
    view = room.ask(i.DescribeRun, id)
    assert isinstance(view, RunView)
    return view


def test_a_run_shows_who_it_is_and_who_has_it(room):
    room.open()
    run_id = room.start().run_id
    assert seen(room) == RunView(
        1,
        "w", run_id, "order", "q", RunState.RUNNING, T0, "", 2, "worker-1", (), cancel_requested=False, blocked=None,
        paused=False, pause_reason="", tags=(), memo=(),
    )  # fmt: skip
    room.cancel()
    assert seen(room).cancel_requested


def test_a_run_that_waits_for_a_worker_says_so(room):
    room.start()
    assert seen(room).pending == (PendingView("", "worker", "no worker has its type"),)
    room.open(slots=1)
    room.start("other")
    assert seen(room, "other").pending == (PendingView("", "worker", "waits in task queue q"),)


def test_a_run_that_waits_for_a_worker_says_so_even_if_it_waits_for_more(room):
    room.open()
    room.start()
    room.complete(room.token(), c.StartTimer("1", 60_000))
    room.close()
    assert [view.kind for view in seen(room).pending] == ["timer", "worker"]


def test_a_run_that_waits_for_a_slot_of_the_worker_that_keeps_it_says_so(room):
    room.open(slots=1)
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.start("busy")
    room.tick(1)
    assert seen(room).pending == (PendingView("", "worker", "waits for a slot", worker_id="worker-1"),)


def test_a_blocked_run_says_so_and_why(room):
    room.open()
    room.start()
    room.complete(room.token(), c.StartTimer("1", 60_000), c.BlockRun(BOOM))
    view = seen(room)
    assert view.pending[-1] == PendingView("", "worker", "blocked")
    assert view.blocked == BOOM


def test_a_run_whose_start_is_not_due_says_when_it_is(room):
    room.open()
    room.start(start_delay_ms=5_000)
    assert seen(room).pending == (PendingView("", "start", due_at=T0 + 5 * S),)


def test_a_run_shows_what_it_was_started_with_for_those_who_look_for_it(room):
    room.start(tags=(("team", "red"),), memo=(("note", data("hello")),))
    assert (seen(room).tags, seen(room).memo) == ((("team", "red"),), (("note", data("hello")),))


def test_a_run_shows_the_promises_and_the_steps_that_it_waits_for(room):
    room.open()
    room.start()
    failed = c.FailStep("2", "pack", BOOM, 1, RetryPolicy(initial_s=5, jitter=0))
    room.complete(room.token(), c.CreatePromise("1", "approval"), failed)
    assert seen(room).pending == (
        PendingView("1", "promise", "approval"),
        PendingView("2", "step", "pack", 1, due_at=T0 + 5 * S, last_failure=BOOM),
    )


def test_a_run_shows_the_signals_that_it_waits_for(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 60_000), awaits=(e.AwaitedSignal("2", "go"),))
    signal, timer = seen(room).pending
    assert (signal.kind, signal.name, signal.path, timer.kind) == ("signal", "go", "2", "timer")
    assert detail_of(room.run()) is Detail.WAITING, "it may go on at any time"


def test_a_run_shows_what_it_waits_for(room):
    room.open(activities=())
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000), activity("2"), child("3", "unknown", id="kid"))
    assert seen(room).pending == (
        PendingView("1", "timer", "", due_at=T0 + S),
        PendingView("2", "activity", "charge", reason="no worker has its type"),
        PendingView("3", "child", "kid"),
    )
    assert seen(room, "kid").parent_workflow_id == "w"


def test_an_activity_shows_its_attempt_its_worker_and_how_far_it_is(room):
    room.open(activities=())
    room.open(2, workflows=())
    room.start()
    room.complete(room.token(), activity(retry=RetryPolicy(initial_s=5, jitter=0)))
    room.beat(2, room.attempt(), data("half"))
    running = PendingView("1", "activity", "charge", 1, 0, "worker-2", None, data("half"))
    assert seen(room).pending == (running,)
    room.complete(room.attempt(), c.FailActivity(BOOM))
    backing_off = PendingView("1", "activity", "charge", 1, T0 + 5 * S, "", BOOM, data("half"))
    assert seen(room).pending == (backing_off,)


def test_the_overview_shows_workers_and_queues(room):
    room.open(slots=1, activity_slots=2)
    room.start("a")
    room.complete(room.token("a"), activity())
    room.now += S
    room.start("b")
    room.start("c", kind="unknown")
    room.start("d", kind="unknown")
    room.drain()
    view = room.engine.overview()
    assert (view.runs_started, view.open_runs) == (4, 4)
    assert view.queues == (
        QueueView(QueueKey("q", TaskKind.WORKFLOW, "order"), 1, T0 + S),
        QueueView(QueueKey("q", TaskKind.WORKFLOW, "unknown"), 2, T0 + S),
    )
    worker = view.workers[0]
    assert (worker.worker_id, worker.task_queue, worker.last_seen_at) == ("worker-1", "q", T0)
    assert (worker.workflow_types, worker.activity_types) == (("order", "ship"), ("charge",))
    assert (worker.workflow_slots, worker.workflow_slots_used) == (1, 1)
    assert (worker.activity_slots, worker.activity_slots_used) == (2, 1)
    assert worker.draining


def test_an_open_run_does_one_thing_that_has_a_word(room):
    room.start("queued")
    assert detail_of(room.run("queued")) is Detail.QUEUED
    room.start("early", start_delay_ms=5_000)
    assert detail_of(room.run("early")) is Detail.SLEEPING
    room.open(slots=20, activities=("charge",))
    assert detail_of(room.run("queued")) is Detail.RUNNING
    for id_, *commands in (
        ("sleeps", c.StartTimer("1", 60_000)),
        ("waits", activity("1", "unknown"), c.StartTimer("2", 60_000)),
        ("step", c.FailStep("1", "pack", BOOM, 1, RetryPolicy(initial_s=5)), c.CreatePromise("2", "yes")),
        ("retries", activity("1", retry=RetryPolicy(initial_s=5))),
        ("blocked", c.StartTimer("1", 60_000), c.BlockRun(BOOM)),
    ):
        room.start(id_)
        room.complete(room.token(id_), *commands)
        if id_ != "blocked":
            room.park(room.token(id_))
    room.complete(room.attempt("1", "retries"), c.FailActivity(BOOM))
    words = {id_: detail_of(room.run(id_)) for id_ in ("sleeps", "waits", "step", "retries", "blocked")}
    assert words == {
        "sleeps": Detail.SLEEPING,
        "waits": Detail.WAITING,
        "step": Detail.RETRYING,
        "retries": Detail.RETRYING,
        "blocked": Detail.BLOCKED,
    }


def test_a_run_that_waits_for_a_slot_of_its_worker_is_queued(room):
    room.open(slots=1)
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.start("busy")
    room.tick(1)
    assert detail_of(room.run()) is Detail.QUEUED
