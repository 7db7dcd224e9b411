from aether.core.run import Activity, Run
from aether.core.sessions import Lease, Session, Tokens
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS
from aether.model.runs import TaskKind

RUN = Run(1, "w", "r", "order", "q", None, 0)


def session(slots: int = 1) -> Session:
    return Session(1, "worker-1", "q", {}, {TaskKind.WORKFLOW: slots, TaskKind.ACTIVITY: 0}, 0)


def test_tokens_only_grow_also_over_restarts():
    first, second = Tokens(1), Tokens(2)
    drawn = [first.draw() for _ in range(1_000)]
    assert drawn == sorted(set(drawn))
    assert first.last == drawn[-1]
    assert second.draw() > drawn[-1]


def test_a_server_that_never_restarts_does_not_run_out_of_tokens():
    a_year_at_ten_thousand_a_second = 365 * 86_400 * 10_000
    assert Tokens(1).last + a_year_at_ten_thousand_a_second < Tokens(2).last
    assert Tokens(2**23).last + a_year_at_ten_thousand_a_second < 2**64


def test_a_lease_is_of_a_run_or_of_an_attempt():
    activity = Activity(RUN, "1", "charge", "q", Payload(b""), DEFAULT_RETRY, NO_TIMEOUTS, 0)
    assert Lease(1, session(), RUN).kind is TaskKind.WORKFLOW
    assert Lease(1, session(), RUN, activity).kind is TaskKind.ACTIVITY


def test_a_worker_has_room_while_its_slots_are_not_used_up_and_it_does_not_drain():
    worker = session(slots=1)
    assert worker.has_slot(TaskKind.WORKFLOW)
    assert not worker.has_slot(TaskKind.ACTIVITY)
    worker.used[TaskKind.WORKFLOW] = 1
    assert not worker.has_slot(TaskKind.WORKFLOW)
    worker.used[TaskKind.WORKFLOW] = 0
    worker.draining = True
    assert not worker.has_slot(TaskKind.WORKFLOW)
