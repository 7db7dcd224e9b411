"""The timer wheel against a plain dictionary of deadlines, over steps from a microsecond to years."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aether.core.timers import TimerWheel

KEYS = st.integers(0, 30)
YEAR_US = 366 * 86_400 * 1_000_000
# Near the edges of the wheel's slots, and anywhere.
STEPS = st.one_of(
    st.integers(0, 3_000),
    st.integers(0, 300_000),
    st.integers(0, 44).map(lambda bit: (1 << bit) * 1_000),
    st.integers(0, 44).map(lambda bit: ((1 << bit) - 1) * 1_000),
    st.integers(0, 10 * YEAR_US),
)


def ceil_ms(at: int) -> int:
    return -(-at // 1_000) * 1_000


class TimersMachine(RuleBasedStateMachine):
    @initialize(
        now=st.one_of(st.just(0), st.integers(0, 2**51), st.integers(0, 40).map(lambda bit: (1 << bit) * 1_000))
    )
    def begin(self, now: int) -> None:
        self.now = now
        self.wheel: TimerWheel[int] = TimerWheel(now)
        self.model: dict[int, int] = {}

    @rule(key=KEYS, step=STEPS, back=st.booleans())
    def arm(self, key: int, step: int, back: bool) -> None:
        due = max(self.now + (-step if back else step), 0)
        self.wheel.arm(key, due)
        self.model[key] = due

    @rule(key=KEYS)
    def cancel(self, key: int) -> None:
        assert self.wheel.cancel(key) == (key in self.model)
        self.model.pop(key, None)

    @rule(step=STEPS, at_most=st.sampled_from((1, 2, 5, 1_000)))
    def advance(self, step: int, at_most: int) -> None:
        self.now += step
        self._fire(at_most)

    @rule(at_most=st.sampled_from((1, 1_000)))
    def advance_to_next(self, at_most: int) -> None:
        due = self.wheel.next_due()
        if due is not None:
            self.now = max(self.now, due)
            self._fire(at_most)

    def _fire(self, at_most: int) -> None:
        present = self.now // 1_000 * 1_000
        expected = {key for key, due in self.model.items() if ceil_ms(due) <= present}
        fired = self.wheel.advance(self.now, at_most)
        assert len(set(fired)) == len(fired) <= min(len(expected), at_most)
        if len(fired) < min(len(expected), at_most):
            # So many were filed anew that the rest comes with the next call.
            assert len(self.model) > 16 * at_most / 8
            assert self.wheel.next_due() <= self.now  # type: ignore[operator]
        deadlines = [ceil_ms(self.model[key]) for key in fired]
        assert deadlines == sorted(deadlines), "not in the order of deadlines"
        for key in fired:
            assert self.model.pop(key) <= self.now, "early"
            expected.remove(key)
        assert all(ceil_ms(self.model[key]) >= max(deadlines) for key in expected if deadlines)

    @rule()
    def settle(self) -> None:
        """By its own `next_due` alone the wheel gets to every deadline, in few steps."""
        for _ in range(10 * len(self.model) + 1):
            due = self.wheel.next_due()
            if due is None:
                break
            self.now = max(self.now, due)
            self._fire(1_000)
        assert self.model == {}

    @invariant()
    def nothing_is_lost_or_late(self) -> None:
        if not hasattr(self, "wheel"):
            return
        assert len(self.wheel) == len(self.model)
        assert dict(self.wheel.deadlines()) == {key: ceil_ms(due) for key, due in self.model.items()}
        due = self.wheel.next_due()
        assert (due is None) == (not self.model)
        assert due is None or due <= min(map(ceil_ms, self.model.values()))


TestTimers = TimersMachine.TestCase
TestTimers.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
