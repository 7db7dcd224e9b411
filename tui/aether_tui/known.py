"""What is known of the server: the last look at it, rates over the last minutes, and what changed from look to look.

Whoever watches hands in looks, failures to look, and lines for the log; views read. No I/O, no clock.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from attrs import define, evolve, field, frozen

from aether import Event, Metrics, Problem, RunState, Sample, TimelineRow, WorkflowInfo, WorkflowStatus
from aether_tui.facts import fact_subject, path_of
from aether_tui.ring import Ring
from aether_tui.sizes import micros

LOG_MAX: Final = 2_000
# Of what is new in one look, so that a burst does not push out all else.
_NEWS_MAX: Final = 100
RunKey = tuple[str, str]
# Counters in the ring, in this order.
STARTED, CLOSED, FAILED, STEPS, EVENTS = range(5)


@frozen
class Look:
    """The server at one time: its numbers, and the runs that were asked for."""

    at_us: int
    metrics: Metrics
    runs: tuple[WorkflowInfo, ...] = ()
    # The filter that `runs` went through, and what the server said against it.
    filter: str = ""
    filter_fault: str = ""


@frozen
class RunLook:
    """One run at one time. `events` are all there are, or the last ones of a long history."""

    at_us: int
    key: RunKey
    status: WorkflowStatus | None
    events: tuple[Event, ...] = ()
    timeline: tuple[TimelineRow, ...] = ()
    # What it waits for, in a sentence.
    why: str = ""
    # Why it can not be shown.
    fault: str = ""

    @cached_property
    def names(self) -> dict[str, str]:
        """Of what is at a path: later facts do not repeat it."""
        return {path: name for event in self.events if (path := path_of(event)) and (name := fact_subject(event))}


@frozen
class Lost:
    """The server did not answer."""

    reason: str
    since_us: int
    retry_at_us: int


@frozen
class LogLine:
    number: int
    at_us: int
    # A word that has a sign in the theme.
    state: str
    subject: str
    text: str
    # Of the run that it is about, if it is about one.
    run: RunKey | None = None


@define
class Known:
    """All of it. `look` stays when the server is lost: old numbers with their age are better than none."""

    target: str
    look: Look | None = None
    lost: Lost | None = None
    run: RunLook | None = None
    ring: Ring = field(factory=Ring)
    log: deque[LogLine] = field(factory=lambda: deque(maxlen=LOG_MAX))
    _log_count: int = 0

    def take_look(self, look: Look) -> None:
        before, self.look = self.look, look
        if self.lost is not None:
            self.note(look.at_us, "COMPLETED", self.target, "the server answers again")
            self.lost = None
        metrics = look.metrics
        failed = sum(each.count for each in metrics.runs if each.state is RunState.FAILED)
        if self.ring.is_empty:
            for sample in metrics.samples:
                self._seed(sample)
        counts = (metrics.runs_started, metrics.runs_closed, failed, metrics.steps, metrics.events)
        self.ring.add(micros(metrics.at), counts)
        if before is not None:
            self._note_changes(before, look)

    def _seed(self, sample: Sample) -> None:
        closed = sample.completed + sample.failed + sample.cancelled
        counts = (sample.started, closed, sample.failed, sample.steps, sample.events)
        end_us, span_us = micros(sample.at), max(sample.span_us, 1)
        self.ring.put(end_us - span_us, end_us, [number * 1e6 / span_us for number in counts])

    def take_run(self, run: RunLook) -> None:
        self.run = run

    def take_lost(self, reason: str, at_us: int, retry_at_us: int) -> None:
        if self.lost is None:
            self.note(at_us, "FAILED", self.target, reason)
        since_us = self.lost.since_us if self.lost else at_us
        self.lost = Lost(reason, since_us, retry_at_us)

    def server_time(self, now_us: int) -> int:
        """The server's clock: its times are compared with it, so that a viewer whose clock is wrong sees right ages."""
        return now_us if self.look is None else micros(self.look.metrics.at) + now_us - self.look.at_us

    def note(self, at_us: int, state: str, subject: str, text: str, run: RunKey | None = None) -> None:
        self._log_count += 1
        self.log.append(LogLine(self._log_count, at_us, state, subject, text, run))

    def forget(self) -> None:
        """All but the target."""
        self.look = self.run = self.lost = None
        self.ring = Ring()
        self.log.clear()

    def copied(self) -> "Known":
        """As it is now, while the other one goes on."""
        return evolve(self, ring=self.ring.copied(), log=self.log.copy())

    def _note_changes(self, before: Look, now: Look) -> None:
        self._note_server(before.metrics, now)
        if before.filter == now.filter:
            self._note_runs({info.run_id: info for info in before.runs}, now)

    def _note_server(self, before: Metrics, now: Look) -> None:
        metrics, at_us = now.metrics, now.at_us
        if metrics.started_at != before.started_at:
            self.note(at_us, "NEWS", metrics.node, "the server was started anew")
        if metrics.storage_fault != before.storage_fault:
            fault = metrics.storage_fault
            self.note(at_us, "FAILED" if fault else "COMPLETED", "storage", fault or "can be written again")
        for problem in reversed(_new_problems(before, metrics)):
            said = f"{problem.name}: {problem.failure_type}: {problem.message}"
            state = "RETRYING" if problem.next_at else "FAILED"
            self.note(at_us, state, problem.workflow_id, said, (problem.workflow_id, problem.run_id))
        had = {worker.worker_id for worker in before.workers}
        has = {worker.worker_id for worker in metrics.workers}
        for worker in sorted(has - had)[:_NEWS_MAX]:
            self.note(at_us, "NEWS", worker, "worker registered")
        for worker in sorted(had - has)[:_NEWS_MAX]:
            self.note(at_us, "CANCELLED", worker, "worker left")

    def _note_runs(self, before: Mapping[str, WorkflowInfo], now: Look) -> None:
        news = list(_news(before, now.runs))
        for info in reversed(news[:_NEWS_MAX]):
            text = f"{info.workflow_type} {info.state.name}"
            self.note(now.at_us, info.state.name, info.workflow_id, text, (info.workflow_id, info.run_id))
        if len(news) > _NEWS_MAX:
            self.note(now.at_us, "NEWS", "runs", f"and {len(news) - _NEWS_MAX} more runs changed")


def _new_problems(before: Metrics, now: Metrics) -> list[Problem]:
    """Those of steps and activities; that a run failed is seen in the list of runs."""
    newest = max((problem.at for problem in before.problems), default=before.at)
    return [problem for problem in now.problems if problem.at > newest and problem.kind != "run"]


def _news(before: Mapping[str, WorkflowInfo], runs: Iterable[WorkflowInfo]) -> Iterable[WorkflowInfo]:
    """Runs that changed their state, and those that are newer than all that were there."""
    newest = max((info.created_at for info in before.values()), default=None)
    for info in runs:
        old = before.get(info.run_id)
        is_new = old is None and (newest is None or info.created_at >= newest)
        if is_new or (old is not None and old.state is not info.state):
            yield info
