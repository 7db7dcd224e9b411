"""The engine under anything that workers, clients, the clock and restarts can do, and then under good workers only.

After each input `Room` checks the invariants, folds the records and compares. At the end the faults stop: whatever
state the engine was left in, every run must close within a bounded number of inputs.
"""

import os
from contextlib import suppress
from itertools import count

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aether.core import inputs as i
from aether.core.effects import Closed
from aether.core.run import Promise
from aether.errors import AetherError, InvalidArgument
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import IdReusePolicy, Labels, ParentClosePolicy
from tests.unit.core.engine_room import BOOM, CLOSING, Room, data

IDS = st.sampled_from(("a", "b", "c", "a/1"))
TYPES = ("order", "ship")
ACTIVITIES = ("charge", "mail")
PATHS = st.sampled_from(("1", "2", "3", "1.1"))
QUEUES = st.sampled_from(("q", "q", "q", "other"))
SECONDS = st.sampled_from((0.0, 0.0, 0.001, 0.5, 1.0, 3.0, 20.0, 3600.0, 86_400.0 * 40))

RETRIES = st.builds(
    RetryPolicy,
    initial_s=st.sampled_from((0.0, 0.5, 5.0)),
    factor=st.sampled_from((1.0, 2.0, 1e300)),
    maximum_s=st.sampled_from((0.0, 10.0)),
    max_attempts=st.sampled_from((1, 2, 3)),
    non_retryable=st.sampled_from(((), ("ValueError",), ("WorkerLost",))),
)
BOUND = st.sampled_from((0.0, 0.0, 0.5, 1.0, 5.0))
GPU = (("gpu", "a100"),)
LIMITS = st.sampled_from(
    (None, None, ConcurrencyLimit("one", 1), ConcurrencyLimit("one", 2), ConcurrencyLimit("two", 2))
)
AWAITS = (e.AwaitedSignal("7", "go"),)
LABELS = st.sampled_from(((), (), GPU))
TIMEOUTS = st.builds(ActivityTimeouts, BOUND, BOUND, BOUND, BOUND)
SCHEDULES = st.builds(
    c.ScheduleActivity,
    PATHS,
    st.sampled_from(ACTIVITIES),
    st.sampled_from(("", "", "other")),
    st.just(data("in")),
    RETRIES,
    TIMEOUTS,
    LABELS,
    LIMITS,
)
POLICIES = st.sampled_from(ParentClosePolicy)
# One more than a run may publish here.
KEYS = ("progress", "total", "left")
RUN_COMMANDS = st.one_of(
    st.builds(c.RecordStep, PATHS, st.just("pack"), st.just(data("out"))),
    st.builds(c.StartTimer, PATHS, st.sampled_from((0, 1, 500, 1000, 60_000))),
    SCHEDULES,
    SCHEDULES,
    st.builds(
        c.StartChild,
        PATHS,
        st.sampled_from(TYPES),
        st.sampled_from(("", "", "b", "kid")),
        st.just(""),
        st.just(data()),
        POLICIES,
    ),
    st.builds(c.FailStep, PATHS, st.just("pack"), st.just(BOOM), st.sampled_from((0, 1, 2)), RETRIES),
    st.builds(c.CreatePromise, PATHS, st.just("answer"), st.sampled_from((0, 0, 1_000))),
    st.builds(c.PublishValue, PATHS, st.sampled_from(KEYS), st.just(data("shown"))),
    st.builds(c.CancelPending, PATHS),
)
MOVES = st.one_of(
    st.just(c.RecordStep("", "pack", data("out"))),
    st.just(c.StartTimer("", 500)),
    SCHEDULES,
    SCHEDULES,
    st.builds(
        c.StartChild,
        st.just(""),
        st.sampled_from(TYPES),
        st.just(""),
        st.sampled_from(("", "other")),
        st.just(data()),
        POLICIES,
        LABELS,
        LIMITS,
    ),
    st.builds(c.FailStep, st.just(""), st.just("pack"), st.just(BOOM), st.sampled_from((1, 2)), RETRIES),
    st.sampled_from((c.CreatePromise("", "answer"), c.CreatePromise("", "answer", 1_000))),
    st.just(c.PublishValue("", "progress", data("shown"))),
    st.just(c.CancelPending("")),
)
ENDINGS = st.one_of(
    st.just(c.CompleteRun(data("done"))),
    st.just(c.FailRun(BOOM)),
    st.just(c.CancelRun("obeyed")),
    st.just(c.BlockRun(BOOM)),
)
OUTCOMES = st.one_of(st.just(c.CompleteActivity(data())), st.just(c.FailActivity(BOOM)), st.just(c.CancelActivity()))
STEPS_MAX = 2_000


class EngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.names = count(1)
        self.sessions = count(1)
        self.paths = count(10)
        self.waiting: dict[str, str] = {}

    @initialize(history_max=st.sampled_from((12, 200, 200)), open_runs_max=st.sampled_from((3, 100)))
    def begin(self, history_max: int, open_runs_max: int) -> None:
        self.room = Room(
            history_max=history_max,
            open_runs_max=open_runs_max,
            waiters_max=3,
            pending_max=3,
            due_max=2,
            cancel_grace_ms=30_000,
            signal_ids_max=2,
            published_max=2,
            recently_closed_max=2,
        )
        self.open(TYPES, ACTIVITIES, 2, "q")
        self.room.start("a")

    def name(self) -> str:
        return f"n{next(self.names)}"

    # Clients.

    @rule(id=IDS, kind=st.sampled_from(TYPES), text=st.sampled_from(("", "x")), queue=QUEUES)
    def start(self, id: str, kind: str, text: str, queue: str) -> None:  # noqa: A002
        assert self.room.start(id, kind, text, queue) is not None

    @rule(
        id=IDS,
        reuse=st.sampled_from(IdReusePolicy),
        delay_ms=st.sampled_from((0, 0, 1, 2_000)),
        timeout_ms=st.sampled_from((0, 1, 1_000, 1_000, 40_000)),
        priority=st.integers(0, 5),
        limit=LIMITS,
    )
    def start_with_options(
        self,
        id: str,  # noqa: A002
        reuse: IdReusePolicy,
        delay_ms: int,
        timeout_ms: int,
        priority: int,
        limit: ConcurrencyLimit | None,
    ) -> None:
        answer = self.room.start(
            id,
            reuse=reuse,
            start_delay_ms=delay_ms,
            run_timeout_ms=timeout_ms,
            priority=priority,
            tags=(("team", "red"),),
            labels=GPU if delay_ms else (),
            concurrency=limit,
            memo=(("note", data("memo")),),
        )
        assert answer is not None

    @rule(id=IDS, force=st.sampled_from((False, False, True)))
    def cancel(self, id: str, force: bool) -> None:  # noqa: A002
        assert self.room.cancel(id, force=force) is not None
        assert not (force and self.room.is_open(id))

    @rule(id=IDS)
    def pause(self, id: str) -> None:  # noqa: A002
        assert self.room.pause(id) is not None

    @rule(queue=QUEUES, paused=st.sampled_from((None, True, False)), limit=st.sampled_from((None, 0, 1, 2)))
    def set_queue(self, queue: str, paused: bool | None, limit: int | None) -> None:
        assert self.room.ask(i.SetQueue, queue, paused, "lunch", limit) is not None

    @rule(id=IDS)
    def resume(self, id: str) -> None:  # noqa: A002
        assert self.room.resume(id) is not None

    @rule(id=IDS, signal_id=st.sampled_from(("", "", "s1", "s2", "s3")))
    def signal(self, id: str, signal_id: str) -> None:  # noqa: A002
        assert self.room.signal(id, signal_id=signal_id) is not None

    @rule(id=IDS, path=PATHS, draw=st.data(), fails=st.booleans())
    def complete_promise(self, id: str, path: str, draw: st.DataObject, fails: bool) -> None:  # noqa: A002
        run = self.room.engine.state.open_ids.get(id)
        if run is None:
            token = f"{path}/run-1/{id}"
        else:
            token = self.room.promise_token(draw.draw(st.sampled_from((path, *sorted(run.promises or ())))), id)
        failure = BOOM if fails else None
        answer = self.room.ask(i.CompletePromise, token, None if fails else data("kept"), failure)
        assert answer is not None

    @rule(id=IDS, key=st.sampled_from(KEYS))
    def read(self, id: str, key: str) -> None:  # noqa: A002
        assert self.room.read(key, id) is not None

    @rule(draw=st.data(), id=st.sampled_from(("a", "fork", "fork")))
    def fork(self, draw: st.DataObject, id: str) -> None:  # noqa: A002
        histories = self.room.log.histories
        key = draw.draw(st.sampled_from(sorted(histories)))
        with suppress(InvalidArgument):
            answer = self.room.fork(key, draw.draw(st.integers(1, len(histories[key]))), id)
            assert answer is not None

    @rule(id=IDS)
    def describe(self, id: str) -> None:  # noqa: A002
        assert self.room.ask(i.DescribeRun, id) is not None
        self.room.engine.overview()

    @rule(id=IDS)
    def wait(self, id: str) -> None:  # noqa: A002
        name = self.name()
        self.room.await_result(name, id)
        if name not in self.room.replies:
            self.waiting[name] = id

    @precondition(lambda self: self.waiting)
    @rule(draw=st.data(), id=IDS)
    def forget(self, draw: st.DataObject, id: str) -> None:  # noqa: A002
        name = draw.draw(st.sampled_from(sorted(self.waiting)))
        self.room.apply(i.ForgetAwait(name, draw.draw(st.sampled_from((self.waiting[name], id)))))

    # Workers.

    @rule(
        workflows=st.sampled_from((TYPES, TYPES, TYPES[:1], TYPES[1:], ())),
        activities=st.sampled_from((ACTIVITIES, ACTIVITIES, ACTIVITIES[:1], ())),
        slots=st.integers(1, 3),
        queue=QUEUES,
        labels=LABELS,
    )
    def open(
        self,
        workflows: tuple[str, ...],
        activities: tuple[str, ...],
        slots: int,
        queue: str,
        labels: Labels = (),
    ) -> None:
        self.room.open(
            next(self.sessions),
            workflows=workflows,
            activities=activities,
            slots=slots,
            activity_slots=slots,
            queue=queue,
            labels=dict(labels),
        )

    @rule(draw=st.data(), how=st.sampled_from((Room.close, Room.drain)))
    def leave(self, draw: st.DataObject, how: object) -> None:
        sessions = sorted(self.room.engine.state.sessions)
        how(self.room, draw.draw(st.sampled_from([*sessions, 999])))  # type: ignore[operator]

    @rule(draw=st.data(), with_details=st.booleans())
    def beat(self, draw: st.DataObject, with_details: bool) -> None:
        state = self.room.engine.state
        session = draw.draw(st.sampled_from([*sorted(state.sessions), 999]))
        token = draw.draw(st.sampled_from([0, 7, *sorted(state.leases)]))
        assert self.room.beat(session, token, data(f"at {next(self.paths)}") if with_details else None) is not None

    def _lease(self, draw: st.DataObject, *, is_run: bool) -> int | None:
        leases = self.room.engine.state.leases.values()
        tokens = sorted(lease.token for lease in leases if (lease.activity is None) is is_run)
        return draw.draw(st.sampled_from(tokens)) if tokens else None

    @rule(draw=st.data(), moves=st.lists(MOVES, min_size=1, max_size=3), parks=st.sampled_from((True, True, False)))
    def work(self, draw: st.DataObject, moves: list[c.RunCommand], parks: bool) -> None:
        """A worker that knows what it does: each start has a path of its own, and what it cancels is pending."""
        token = self._lease(draw, is_run=True)
        if token is None:
            return
        pending = list(self.room.engine.state.leases[token].run.pending)
        commands: list[c.RunCommand] = []
        for move in moves:
            if isinstance(move, c.CancelPending):
                if pending:
                    commands.append(c.CancelPending(draw.draw(st.sampled_from(pending))))
            else:
                commands.append(evolve(move, path=str(next(self.paths))))  # type: ignore[arg-type]  # all moves have one
        known_seq = self.room.seen[token]
        assert self.room.ask(i.Complete, token, tuple(commands), parks, known_seq, awaits=AWAITS) is not None

    @rule(draw=st.data(), how=st.sampled_from(("end", "end", "release", "rest", "block")))
    def leave_alone(self, draw: st.DataObject, how: str) -> None:
        """A worker that is done with a run, for good or for now."""
        token = self._lease(draw, is_run=True)
        if token is None:
            return
        known_seq = self.room.seen[token]
        if how == "end":
            if not self.room.engine.state.leases[token].run.pending:
                self.room.complete(token, c.CompleteRun(data()), number=1)
        elif how == "block":
            self.room.complete(token, c.BlockRun(BOOM))
        else:
            self.room.complete(token, blocked=True, known_seq=known_seq, release=how == "release")

    @rule(
        draw=st.data(),
        commands=st.lists(RUN_COMMANDS, max_size=4),
        ending=st.one_of(st.none(), st.none(), st.none(), ENDINGS),
        blocked=st.booleans(),
        release=st.sampled_from((False, False, False, True)),
        number=st.sampled_from((0, 0, 1, 2, 3)),
    )
    def answer_run(
        self,
        draw: st.DataObject,
        commands: list[c.RunCommand],
        ending: c.RunCommand | None,
        blocked: bool,
        release: bool,
        number: int,
    ) -> None:
        token = self._lease(draw, is_run=True)
        if token is None:
            return
        late_by = draw.draw(st.sampled_from((0, 0, 0, 1, 2)))
        everything = (*commands, ending) if ending else tuple(commands)
        known_seq = max(self.room.seen[token] - late_by, 0)
        before = {key: run.last_seq for key, run in self.room.engine.state.runs.items()}
        answer = self.room.ask(i.Complete, token, everything, blocked, known_seq, release, number)
        assert answer is not None
        if isinstance(answer, AetherError) and ending is None and "grow beyond" not in str(answer):
            assert before == {key: run.last_seq for key, run in self.room.engine.state.runs.items()}

    @rule(draw=st.data(), outcome=OUTCOMES)
    def answer_activity(self, draw: st.DataObject, outcome: c.ActivityCommand) -> None:
        token = self._lease(draw, is_run=False)
        if token is not None:
            self.room.complete(token, outcome)

    @rule(
        draw=st.data(),
        commands=st.lists(st.one_of(RUN_COMMANDS, ENDINGS, OUTCOMES), max_size=3),
        known_seq=st.integers(0, 2**64 - 1),
    )
    def answer_nonsense(self, draw: st.DataObject, commands: list[c.Command], known_seq: int) -> None:
        token = draw.draw(st.sampled_from([3, 2**63, *sorted(self.room.engine.state.leases)]))
        answer = self.room.complete(token, *commands, blocked=True, known_seq=known_seq, awaits=AWAITS)
        assert answer is not None

    # The world.

    @rule(seconds=SECONDS)
    def tick(self, seconds: float) -> None:
        self.room.tick(seconds)

    @rule(seconds=st.sampled_from((0.001, 1.0, 6.0, 30.0)))
    def sleep(self, seconds: float) -> None:
        self.room.sleep(seconds)

    @rule(seconds=SECONDS)
    def restart(self, seconds: float) -> None:
        self.waiting.clear()
        self.room.now += int(seconds * 1e6)
        self.room.restart()

    @invariant()
    def a_restart_would_lose_nothing(self) -> None:
        if hasattr(self, "room"):
            self.room.log.rehearse(self.room.now, self.room.limits)

    # And they lived happily ever after.

    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        room = self.room
        for queue in ("q", "other"):
            room.open(
                next(self.sessions),
                workflows=TYPES,
                activities=ACTIVITIES,
                slots=50,
                activity_slots=50,
                queue=queue,
                labels=dict(GPU),
            )
        for name in ("q", "other"):
            room.ask(i.SetQueue, name, paused=False)
        for id_ in list(room.engine.state.open_ids):
            room.resume(id_)
        for _ in range(STEPS_MAX):
            if not room.engine.state.runs:
                break
            moves = [self._behave(token) for token in sorted(room.engine.state.leases)]
            if not any(moves) and not self._keep_a_promise() and not self._send_a_signal():
                due = room.engine.next_due()
                assert due is not None, "open runs, nobody has anything to do, and no time will change that"
                room.now = max(room.now, due)
                room.tick()
            for session_id in list(room.engine.state.sessions):
                room.beat(session_id)
        else:
            raise AssertionError(f"{len(room.engine.state.runs)} runs are open after {STEPS_MAX} steps")
        for name in self.waiting:
            answered = room.replies.get(name)
            assert answered is None or isinstance(answered, Closed)
        assert room.engine.state.waiter_count == 0
        assert all(isinstance(history[-1].fact, CLOSING) for history in room.log.histories.values())

    def _keep_a_promise(self) -> bool:
        """Somebody outside says how something went that a run waits for; says whether there was any."""
        for id_, run in self.room.engine.state.open_ids.items():
            for path, pending in run.pending.items():
                if isinstance(pending, Promise):
                    self.room.resolve(self.room.promise_token(path, id_))
                    return True
        return False

    def _send_a_signal(self) -> bool:
        """To a run that rests and waits for nothing else; says whether there was any."""
        for id_, run in list(self.room.engine.state.open_ids.items()):
            rests = not run.queued and run.blocked is None and not run.is_early and not run.pending
            if rests and (run.lease is None or run.lease.is_idle):
                if isinstance(self.room.signal(id_), AetherError):
                    self.room.cancel(id_)
                return True
        return False

    def _behave(self, token: int) -> bool:
        """A good worker's next move for one lease; says whether there was one."""
        room = self.room
        lease = room.engine.state.leases.get(token)
        if lease is None or lease.is_idle:
            return False
        if lease.activity is not None:
            room.complete(token, c.CompleteActivity(data()))
            return True
        pending = lease.run.pending
        seen = room.seen[token]
        if not pending:
            room.complete(token, c.CancelRun() if lease.run.cancel_requested else c.CompleteRun(data()))
        elif lease.run.cancel_requested and not all(
            getattr(item, "cancel_requested", False) for item in pending.values()
        ):
            room.complete(token, *[c.CancelPending(path) for path in pending])
        else:
            room.complete(token, blocked=True, known_seq=seen)
        return True


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(
    max_examples=int(os.environ.get("AETHER_TEST_EXAMPLES", "60")),
    stateful_step_count=int(os.environ.get("AETHER_TEST_STEPS", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
