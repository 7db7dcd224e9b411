"""What is known of the server: the last look at it, rates over the last minutes, and what happened.

Whoever watches hands in looks, events, failures to look, and lines for the log; views read. No I/O, no clock.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field, frozen

from aether import (
    Event,
    LoggedEvent,
    Metrics,
    QueueInfo,
    RunState,
    Sample,
    TimelineRow,
    WorkflowInfo,
    WorkflowStatus,
)
from aether_tui.facts import event_text, state_of_event
from aether_tui.ring import Recent, Ring
from aether_tui.sizes import micros

LOG_MAX: Final = 2_000
# Workers that came or went in one look; more are not told by name.
_NEWS_MAX: Final = 100
RunKey = tuple[str, str]
# Of a list so many are asked for.
RUNS_MAX: Final = 200
OPEN_STATES: Final = ("running", "queued", "sleeping", "waiting", "retrying", "blocked", "paused")
# Counters in the ring, in this order.
STARTED, CLOSED, FAILED, STEPS, EVENTS = range(5)


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
    # The kind of event that it tells of; "" for what was seen on this side.
    event: str = ""


@frozen
class Look:
    """The server at one time: its numbers, and the runs that were asked for."""

    at_us: int
    metrics: Metrics
    runs: tuple[WorkflowInfo, ...] = ()
    # The filter that `runs` went through, and what the server said against it.
    filter: str = ""
    filter_fault: str = ""
    # Task queues, with what they hand out.
    gates: tuple[QueueInfo, ...] = ()
    # What has happened since the look before, in a recording.
    log: tuple[LogLine, ...] = ()
    # Which end of all runs `runs` are from.
    is_oldest_first: bool = False


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
    # Of what is at a path: later facts do not repeat it.
    names: Mapping[str, str] = field(factory=dict)


@frozen
class Lost:
    """The server did not answer."""

    reason: str
    since_us: int
    retry_at_us: int


@define
class Known:
    """All of it. `look` stays when the server is lost: old numbers with their age are better than none."""

    target: str
    look: Look | None = None
    lost: Lost | None = None
    run: RunLook | None = None
    ring: Ring = field(factory=Ring)
    # How the numbers of open runs were a minute ago, and the traffic of queues some seconds ago.
    states: Recent = field(factory=lambda: Recent(60_000_000))
    traffic: Recent = field(factory=lambda: Recent(5_000_000))
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
        at_us = micros(metrics.at)
        self.ring.add(at_us, counts)
        self.states.add(at_us, {name: getattr(metrics.open, name) for name in OPEN_STATES})
        self.traffic.add(
            at_us,
            {
                f"{way} {each.kind} {each.task_queue}": number
                for each in metrics.queue_traffic
                for way, number in (("in", each.added), ("out", each.taken))
            },
        )
        for line in look.log:
            self.note(line.at_us, line.state, line.subject, line.text, line.run, line.event)
        if before is not None and not look.log:
            self._note_server(before.metrics, look)

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

    def note(self, at_us: int, state: str, subject: str, text: str, run: RunKey | None = None, event: str = "") -> None:
        self._log_count += 1
        self.log.append(LogLine(self._log_count, at_us, state, subject, text, run, event))

    def take_event(self, event: LoggedEvent) -> None:
        at_us = micros(event.at)
        if event.dropped:
            said = f"{event.dropped} left out: more happens than can be told"
            self.note(at_us, "NEWS", "events", said, event="dropped")
        run = event.workflow_id, event.run_id
        self.note(at_us, state_of_event(event.kind), event.workflow_id, event_text(event), run, event.kind)

    def forget_events(self) -> None:
        """Others are wanted."""
        self.log = deque((line for line in self.log if not line.event), maxlen=LOG_MAX)

    def forget(self) -> None:
        """All but the target."""
        self.look = self.run = self.lost = None
        self.ring = Ring()
        self.states, self.traffic = Recent(self.states.span_us), Recent(self.traffic.span_us)
        self.log.clear()

    def copied(self) -> "Known":
        """As it is now, while the other one goes on."""
        return evolve(
            self,
            ring=self.ring.copied(),
            states=self.states.copied(),
            traffic=self.traffic.copied(),
            log=self.log.copy(),
        )

    def _note_server(self, before: Metrics, now: Look) -> None:
        metrics, at_us = now.metrics, now.at_us
        if metrics.started_at != before.started_at:
            self.note(at_us, "NEWS", metrics.node, "the server was started anew")
        if metrics.storage_fault != before.storage_fault:
            fault = metrics.storage_fault
            self.note(at_us, "FAILED" if fault else "COMPLETED", "storage", fault or "can be written again")
        had = {worker.worker_id for worker in before.workers}
        has = {worker.worker_id for worker in metrics.workers}
        for worker in sorted(has - had)[:_NEWS_MAX]:
            self.note(at_us, "NEWS", worker, "worker registered")
        for worker in sorted(had - has)[:_NEWS_MAX]:
            self.note(at_us, "CANCELLED", worker, "worker left")
