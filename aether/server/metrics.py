"""The numbers of the server, and how they were during the last hour.

Theory of operation. Everything counts upwards in plain numbers: the engine's in `core/meters.py`, the writer's in its
stats. What happened in a span of time is the difference of two of their states, so a state is marked each ten seconds
in which something happens: the engine loop looks before it decides, and nothing wakes up for it while all is quiet. A
mark is stamped with the time up to which it is right, which is that of the last decision before it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen

from aether.core.histograms import Histogram, quantile
from aether.core.meters import Problem
from aether.core.state import State
from aether.server.telemetry import Log, Throttle
from aether.server.writer import BatchWriter, WriterStats

MARK_US: Final = 10_000_000
WINDOW_US: Final = 60_000_000
KEPT_US: Final = 3_600_000_000

# What is marked, one after the other: numbers, then the buckets of the distributions.
COUNTERS: Final = (
    "started",
    "completed",
    "failed",
    "cancelled",
    "steps",
    "activities",
    "events",
    "commits",
    "open_runs",
    "ready",
)
_GAUGES = {"open_runs", "ready"}
_LOGGED = {"run": "run_failed", "blocked": "run_blocked"}

log = Log("aether.server")


@frozen
class Mark:
    at: int
    counters: tuple[int, ...]
    # Buckets of start_lag, step, activity, commit, batch, loop_lag, timer_lag.
    buckets: tuple[tuple[int, ...], ...]


@frozen
class Window:
    """The difference of two marks. `gauges` are as they were at its end."""

    at: int
    span_us: int
    counts: dict[str, int]
    buckets: Mapping[str, tuple[Sequence[int], Sequence[int]]]

    def quantile(self, name: str, share: float) -> int:
        return quantile(*self.buckets[name], share)

    def count(self, name: str) -> int:
        return sum(self.buckets[name][1])


class Metrics:
    def __init__(self, state: State, problems_max: int) -> None:
        # By what they are about, the newest last: a step that is tried for hours is one problem and not the only one.
        self._problems: dict[tuple[str, str, str], Problem] = {}
        self._problems_max = problems_max
        self.loop_lag = Histogram()
        self.mark_at = 0
        # Called with each mark: something happens again.
        self.on_mark: Callable[[], None] = _nothing
        # When the engine decided last.
        self.decided_at = 0
        self.writer: BatchWriter | None = None
        # Whether what users' code said is told in the log.
        self.logs_payloads = False
        self._throttles = {event: Throttle() for event in (*_LOGGED.values(), "attempt_failed")}
        self._state = state
        self._marks: deque[Mark] = deque(maxlen=2 * KEPT_US // MARK_US)
        state.problems_to = self._tell

    def _tell(self, problem: Problem) -> None:
        """Something went wrong in a run, and that is on disk."""
        before = self._problems.pop(problem.subject, None)
        self._problems[problem.subject] = problem.after(before) if before is not None else problem
        if len(self._problems) > self._problems_max:
            del self._problems[next(iter(self._problems))]
        event = _LOGGED.get(problem.kind, "attempt_failed")
        more = self._throttles[event].admit(problem.at)
        if more is not None:
            log.warning(event, **_fields(problem, payloads=self.logs_payloads), **more)

    @property
    def problems(self) -> Iterator[Problem]:
        """The newest first."""
        return reversed(self._problems.values())

    @property
    def writer_stats(self) -> WriterStats:
        return self.writer.stats if self.writer is not None else WriterStats()

    def mark(self, now: int) -> None:
        """Called before a decision, when `mark_at` has come."""
        self.mark_at = now + MARK_US
        self.on_mark()
        last = self.decided_at or now
        made = self._now(last)
        self._marks.append(made)
        if now - last > MARK_US:
            # Nothing happened in between; whoever draws it should see that.
            self._marks.append(Mark(now, made.counters, made.buckets))

    def last_minute(self, now: int) -> Window:
        since = now - WINDOW_US
        before = next((mark for mark in reversed(self._marks) if mark.at <= since), None)
        current = self._now(now)
        if self.decided_at <= since:
            return _between(current, current, self._bounds())
        return _between(before or self._nothing(), current, self._bounds())

    def last_hour(self, now: int) -> Iterator[Window]:
        """Oldest first."""
        marks = [mark for mark in self._marks if mark.at > now - KEPT_US]
        if not marks:
            return
        bounds = self._bounds()
        is_moment = now - marks[-1].at < MARK_US // 2
        if len(marks) > 1 and is_moment and marks[-1].at - marks[-2].at < 2 * MARK_US:
            # No span to tell a rate from: it goes to the one before.
            marks.pop()
        marks.append(self._now(now))
        for before, after in pairwise(marks):
            if after.at > before.at:
                yield _between(before, after, bounds)

    def _nothing(self) -> Mark:
        return Mark(0, (0,) * len(COUNTERS), tuple((0,) * len(each.counts) for each in self._distributions().values()))

    def _now(self, at: int) -> Mark:
        state, meters = self._state, self._state.meters
        runs = meters.runs.values()
        counters = (
            sum(row.started for row in runs),
            sum(row.completed for row in runs),
            sum(row.failed for row in runs),
            sum(row.cancelled for row in runs),
            self.steps,
            sum(row.completed for row in meters.activities.values()),
            state.counters.events,
            self.writer_stats.commits,
            len(state.runs),
            state.queues.ready,
        )
        return Mark(at, counters, tuple(tuple(each.counts) for each in self._distributions().values()))

    @property
    def steps(self) -> int:
        return sum(row.completed + row.failed + row.cancelled for row in self._state.meters.steps.values())

    def _distributions(self) -> dict[str, Histogram]:
        meters, stats = self._state.meters, self.writer_stats
        return {
            "start_lag": _merged(row.start_lag for row in meters.runs.values()),
            "step": _merged(row.duration for row in meters.steps.values()),
            "activity": _merged(row.duration for row in meters.activities.values()),
            "commit": stats.commit_us,
            "batch": stats.batches,
            "loop_lag": self.loop_lag,
            "timer_lag": meters.timer_lag,
        }

    def _bounds(self) -> dict[str, Sequence[int]]:
        return {name: each.bounds for name, each in self._distributions().items()}


def _fields(problem: Problem, *, payloads: bool) -> dict[str, object]:
    """Messages of failures may hold what is nobody's business; the history has them."""
    fields: dict[str, object] = {
        "workflow_id": problem.workflow_id,
        "run_id": problem.run_id,
        "workflow_type": problem.workflow_type,
        "failure": problem.failure_type,
    }
    if problem.kind not in _LOGGED:
        fields |= {"kind": problem.kind, "name": problem.name, "attempt": problem.attempt}
        if problem.next_at:
            fields["again_in_s"] = round((problem.next_at - problem.at) / 1e6, 3)
    if problem.trace_id:
        fields["trace_id"] = problem.trace_id
    if payloads:
        fields["message"] = problem.message
    return fields


def _nothing() -> None:
    """Stands in for `on_mark`."""


def _merged(each: Iterable[Histogram]) -> Histogram:
    merged = Histogram()
    columns = zip(*(histogram.counts for histogram in each), strict=True)
    merged.counts = [sum(column) for column in columns] or merged.counts
    return merged


def _between(before: Mark, after: Mark, bounds: dict[str, Sequence[int]]) -> Window:
    counts = {
        name: new if name in _GAUGES else new - old
        for name, old, new in zip(COUNTERS, before.counters, after.counters, strict=True)
    }
    differences = [
        [new - old for old, new in zip(olds, news, strict=True)]
        for olds, news in zip(before.buckets, after.buckets, strict=True)
    ]
    buckets = {name: (bounds[name], each) for name, each in zip(bounds, differences, strict=True)}
    return Window(after.at, after.at - before.at, counts, buckets)
