"""Crashes at every recorded position: where the plug is pulled, and what must be the same afterwards.

A position is a commit. At each, four things may happen: the server dies before the commit is on disk, the worker with
it, the server dies when the commit is on disk and nobody has been told, and the worker dies without hearing of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

from attrs import define, field, frozen

from aether.model import events as e
from aether.testing.disk import Reliable
from aether.testing.environment import Environment, StepRun
from aether.wire.convert import decode_event


class Crash(Enum):
    """Who dies, and when."""

    UNSAVED = "the server died before commit {} was on disk"
    UNTOLD = "the server died when commit {} was on disk and before anybody was told"
    BOTH = "server and worker died before commit {} was on disk"
    WORKER = "the worker died before it was told of commit {}"


_POINTS = {Crash.UNSAVED: "flush", Crash.BOTH: "flush", Crash.UNTOLD: "durable", Crash.WORKER: "durable"}


class Plug(Reliable):
    """A disk's moods that let somebody die at one commit; without one, nobody."""

    def __init__(self, crash: Crash | None = None, commit: int = 0) -> None:
        self.crash = crash
        self.commit = commit
        self.environment: Environment
        self._seen = 0

    @classmethod
    def everywhere(cls, commits: int) -> Iterator["Plug"]:
        return (cls(crash, commit) for commit in range(1, commits + 1) for crash in Crash)

    def at(self, point: str) -> None:
        self._seen += point == "write"
        if self.crash is None or self._seen != self.commit or point != _POINTS[self.crash]:
            return
        if self.crash is not Crash.WORKER:
            self.environment.crash_server()
        if self.crash in {Crash.BOTH, Crash.WORKER}:
            self.environment.crash_worker()

    @property
    def prefix(self) -> str:
        """For messages."""
        return "" if self.crash is None else f"{self}; "

    def __str__(self) -> str:
        return self.crash.value.format(self.commit) if self.crash is not None else "nobody died"


@define
class Trial:
    """One scenario, played to its end."""

    plug: Plug
    returned: Any = None
    raised: Exception | None = None
    commits: int = 0
    step_runs: Sequence[StepRun] = ()
    # What was done although it was recorded as done.
    repeated: tuple[str, ...] = ()

    @property
    def outcome(self) -> tuple[object, ...]:
        if self.raised is None:
            return "returned", self.returned
        return "raised", type(self.raised).__name__, str(self.raised)

    def take(self, environment: Environment) -> None:
        self.commits = environment.disk.commits
        self.step_runs = tuple(environment.step_runs)
        late = [f"step {run.name!r} at {run.path} of run {run.run_id}" for run in self.step_runs if run.is_late]
        self.repeated = (*late, *_attempts_after_the_end(environment))


def _attempts_after_the_end(environment: Environment) -> Iterator[str]:
    for log in environment.disk.logs.values():
        over = set[str]()
        for fact in (decode_event(row.body).fact for row in log):
            if isinstance(fact, e.ActivityCompleted | e.ActivityFailed):
                over.add(fact.path)
            elif isinstance(fact, e.ActivityStarted) and fact.path in over:
                yield f"the activity at {fact.path} of run key {log[0].run_key}"


@frozen
class CrashReport:
    """What was tried and came to the same end. `step_runs`: how often a step's function was called at most, by name."""

    commits: int
    crashes: int
    step_runs: dict[str, int] = field(factory=dict)


class CrashFaults(AssertionError):
    """Some crash made a difference. `faults` has a sentence for each."""

    def __init__(self, faults: Sequence[str], crashes: int) -> None:
        super().__init__(f"{len(faults)} of {crashes} crashes made a difference:\n" + "\n".join(faults))
        self.faults = tuple(faults)


def find_faults(calm: Trial, trials: Iterable[Trial]) -> CrashReport:
    """Raises CrashFaults."""
    faults: list[str] = []
    most: Counter[str] = Counter()
    crashes = 0
    for trial in (calm, *trials):
        crashes += trial is not calm
        for name, count in _step_runs(trial).items():
            most[name] = max(most[name], count)
        if trial.outcome != calm.outcome:
            faults.append(f"{trial.plug}: {_shown(trial)}; without a crash: {_shown(calm)}")
        faults += [f"{trial.plug}: {what} ran again after it was recorded" for what in trial.repeated]
    if faults:
        raise CrashFaults(faults, crashes)
    return CrashReport(calm.commits, crashes, dict(most))


def _step_runs(trial: Trial) -> dict[str, int]:
    by_place = Counter((run.name, run.run_id, run.path) for run in trial.step_runs)
    most: Counter[str] = Counter()
    for (name, _, _), count in by_place.items():
        most[name] = max(most[name], count)
    return most


def _shown(trial: Trial) -> str:
    return f"{trial.outcome[0]} {trial.returned!r}" if trial.raised is None else f"raised {trial.raised!r}"
