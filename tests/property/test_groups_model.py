"""Task queues with concurrency keys against a list that is looked through from the front each time."""

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aether.core.groups import limit_of
from aether.core.queues import Item, QueueKey, Rank, TaskQueues, key_of
from aether.core.run import Activity, Run
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ConcurrencyLimit
from aether.model.runs import RunState

US_PER_PRIORITY = 60_000_000
LIMITS = st.sampled_from(
    (None, ConcurrencyLimit("a", 1), ConcurrencyLimit("b", 2), ConcurrencyLimit("b", 3), ConcurrencyLimit("c", 1))
)


@define
class Model:
    """Who waits, by rank; the lookup of the next one is the whole of the rule."""

    waiting: list[tuple[Rank, QueueKey, Item]] = field(factory=list)
    running: dict[str, int] = field(factory=dict)
    limits: dict[str, int] = field(factory=dict)

    def next(self, key: QueueKey) -> Item | None:
        for _, line, item in sorted(self.waiting, key=lambda entry: entry[0]):
            limit = limit_of(item)
            if line == key and (limit is None or self.running.get(limit.key, 0) < self.limits[limit.key]):
                return item
        return None


class GroupsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.queues = TaskQueues()
        self.model = Model()
        self.count = 0
        self.now = 0
        self.started: list[ConcurrencyLimit] = []

    @rule(
        limit=LIMITS,
        priority=st.integers(1, 5),
        kind=st.sampled_from(("order", "ship")),
        is_run=st.booleans(),
        passed=st.sampled_from((0, 1, 40_000_000)),
    )
    def push(self, limit: ConcurrencyLimit | None, priority: int, kind: str, is_run: bool, passed: int) -> None:
        self.count += 1
        self.now += passed
        run = Run(self.count, f"w{self.count}", f"r{self.count}", kind, "q", None, 0, priority=priority)
        item: Item = run
        run.concurrency = limit
        if not is_run:
            item = Activity(run, "1", kind, "q", Payload(b""), DEFAULT_RETRY, NO_TIMEOUTS, 0, (), limit)
        self.queues.push(key_of(item), item, self.now)
        if limit is not None:
            self.model.limits[limit.key] = limit.limit
        self.model.waiting.append((Rank(self.now + priority * US_PER_PRIORITY, self.count), key_of(item), item))

    @precondition(lambda self: self.model.waiting)
    @rule(draw=st.data())
    def pop(self, draw: st.DataObject) -> None:
        key = draw.draw(st.sampled_from(sorted({key for _, key, _ in self.model.waiting})))
        head, expected = self.queues.head(key), self.model.next(key)
        assert (head[2] if head else None) is expected
        if expected is None:
            return
        assert self.queues.pop(key) is expected
        self.forget(expected)
        limit = limit_of(expected)
        if limit is not None:
            self.queues.begin(limit)
            self.started.append(limit)
            self.model.running[limit.key] = self.model.running.get(limit.key, 0) + 1
        if isinstance(expected, Run):
            expected.state = RunState.RUNNING

    def forget(self, item: Item) -> None:
        self.model.waiting = [entry for entry in self.model.waiting if entry[2] is not item]

    @precondition(lambda self: self.started)
    @rule(draw=st.data())
    def end(self, draw: st.DataObject) -> None:
        limit = self.started.pop(draw.draw(st.integers(0, len(self.started) - 1)))
        self.queues.end(limit)
        self.model.running[limit.key] -= 1

    @precondition(lambda self: self.model.waiting)
    @rule(draw=st.data())
    def remove(self, draw: st.DataObject) -> None:
        _, key, item = draw.draw(st.sampled_from(self.model.waiting))
        self.queues.remove(key, item)
        self.forget(item)

    @invariant()
    def everybody_is_there(self) -> None:
        keys = {key for _, key, _ in self.model.waiting}
        assert {key: count for key, count, _ in self.queues.depths()} == {
            key: sum(line == key for _, line, _ in self.model.waiting) for key in keys
        }
        for key in keys:
            waiting = [item for _, line, item in sorted(self.model.waiting, key=lambda entry: entry[0]) if line == key]
            assert list(self.queues.waiting(key)) == waiting
            assert self.queues.place(key, waiting[-1], 1_000) == len(waiting)
        # Offers that are not good any more are not kept for ever.
        assert len(list(self.queues.groups)) <= 3
        assert all(len(self.queues.offered(key)) <= 2 * self.count for key in keys)


TestGroupsMachine = GroupsMachine.TestCase
TestGroupsMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
