"""Matches what workflow code asks for with what its history holds, and decides who goes on next. Pure and synchronous.

One mechanism serves replay and live execution. The history arrives in the order of its seqs, whether it is read back
after a crash or is made right now: events that the server sends and acknowledgements of the run's own commands are put
into the same queue (`receive`). Code that makes a durable call comes to rest as a `Waiter` at its path (`register`).

The rules that make a second run equal the first one:

1. Facts are delivered strictly in order, and the next one only when every branch of the run is at rest in a durable
   call. So branches go on in the recorded order, whatever the scheduler does. `_active` counts those not at rest. A
   branch that waits for something of its own would stop the run for ever; after a while the shell calls
   `pump(impatient=True)`, and a fact whose waiter is there is delivered all the same. New branches begin one by one
   in the same way, before the next fact is delivered.
2. A call without a record goes *live* (its function runs, its command is sent) only when everything that was received
   is delivered and, if it had to wait for that, every branch is at rest. So no side effect happens before the whole
   history has been matched, and none of a call that the last fact of the history cancels.
3. A fact of another kind or name than the waiter's, and a fact for which nobody waits while all are at rest, raise
   `NonDeterminism`.
4. A call that was cancelled is abandoned: what the history says of it later is skipped. If the server has its timer,
   activity or child, that is given up by one `CancelPending`, sent when rule 2 allows; an activity or a child is waited
   for until it is over, so that it ends before its parent.
5. Branches that are cancelled go on one by one. Those that have nothing to wait for take their turns in the order of
   their paths, before the next fact is delivered. How long the function of a step takes to stop is not known to a
   replay, so a step that is cancelled is recorded as one that failed, and its branch goes on at that fact.

A waiter's states:

    HELD ──go live──> LIVE (a step: the shell runs its function) ──record, ack──> OVER
      │                 ├──failed attempt──> BACKING_OFF ──timer──> HELD
      └──"started"──> STARTED (a timer, activity or child that the server has) ──────> OVER
                        ├──cancelled──> CANCELLING (an activity or a child) ─────────> OVER
                        └──cancelled──> LEAVING (anything else) ──its turn───────────> OVER

The shell reads the outputs after each call: `woken` (waiters to resume), `begun` (branches to begin), `commands` (to
send), and `cancel` (the run's code is to be cancelled; when that has reached every branch, the shell calls `settled`).
"""

from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from aether.errors import InvalidArgument, NonDeterminism
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import ABORTED, Payload
from aether.sdk.meanings import BEGIN_RECORDS, MEANINGS, Kind, Record, Verb, only_begins
from aether.sdk.waiters import (
    BACKING_OFF,
    CANCELLING,
    HELD,
    LEAVING,
    LIVE,
    OVER,
    STARTED,
    Branch,
    Fork,
    Waiter,
    WaiterState,
    describe,
    place_of,
)

# Kinds that the server keeps for the run, and those of them that end before whoever gives them up goes on.
_AT_THE_SERVER: Final = ("timer", "activity", "child", "promise")
_WAITED_FOR: Final = ("activity", "child")


@define(eq=False)
class Replay:
    """The state of one run's execution at one worker. Not reusable: a run that is begun again gets a new one."""

    root: Branch = field(factory=lambda: Branch(""))
    woken: list[Waiter] = field(factory=list)
    begun: list[Branch] = field(factory=list)
    commands: list[c.RunCommand] = field(factory=list)
    cancel: e.CancelRequested | None = None
    # Calls that go on without the server doing anything: steps whose function runs, and what is not acknowledged yet.
    live_calls: int = 0
    waiters: dict[str, Waiter] = field(factory=dict)
    # What random values follow from, once the history has said so.
    seed: str = ""
    _queue: deque[tuple[int, Record]] = field(factory=deque)
    # Branches that have not begun, in the order in which they were opened.
    _new: deque[Branch] = field(factory=deque)
    _held: list[Waiter] = field(factory=list)
    # Cancelled calls whose branches go on next, in this order.
    _leaving: list[Waiter] = field(factory=list)
    # Paths at which the code opened branches.
    _forks: set[str] = field(factory=set)
    _abandoned: set[str] = field(factory=set)
    # Signals that nobody has asked for yet, by name.
    _signals: dict[str, deque[Payload]] = field(factory=dict)
    # Paths whose timer, activity or child the server is to give up, as soon as rule 2 allows.
    _owed: dict[str, None] = field(factory=dict)
    _active: int = 1
    # A cancel is on its way to the branches: those that it will reach are not at rest, though it does not show yet.
    _is_settling: bool = False
    _how_over: str = ""  # of the workflow function, for people

    @property
    def is_at_rest(self) -> bool:
        """Nobody can go on by himself."""
        return self._active == 0

    @property
    def is_caught_up(self) -> bool:
        """Everything that was received is delivered."""
        return not self._queue

    @property
    def unrest(self) -> int:
        """How much waits for branches that are not at rest; 0: nothing. If that lasts, `pump(impatient=True)`."""
        if not self._active:
            return 0
        records, others = len(self._queue), len(self._new) + len(self._held) + len(self._leaving)
        if not others and records <= BEGIN_RECORDS and all(only_begins(record) for _, record in self._queue):
            return 0
        # They count twice: one that is delivered may become a step that is held.
        return 2 * records + others

    @property
    def waits_for_server(self) -> bool:
        """The run has nothing to do before the server sends something."""
        return self._active == 0 and self.live_calls == 0 and not self._queue and not self._new

    def sleepers(self) -> list[Callable[[], None]]:
        """What wakes everybody who waits here, for when the run is taken away."""
        waiters = (*self.waiters.values(), *self._leaving)
        wakes = [waiter.wake for waiter in waiters] + [branch.begin for branch in self._new]
        return [wake for wake in wakes if wake is not None]

    # What the code does.

    def register(
        self,
        branch: Branch,
        kind: Kind,
        name: str,
        command: c.RunCommand | None = None,
        *,
        is_detached: bool = False,
    ) -> Waiter:
        """A durable call of `branch` comes to rest. It may be LIVE or OVER already when this returns."""
        if branch.waiter is not None:
            raise InvalidArgument(
                f"{describe(kind, name)} was asked for while the same branch waits for {branch.waiter} at "
                f"{branch.waiter.path}; use ctx.parallel or ctx.nursery for calls side by side"
            )
        path = branch.next_path()
        branch.count += 1
        branch.draws = 0
        waiter = Waiter(path, kind, name, branch, command, is_detached=is_detached)
        branch.waiter = self.waiters[path] = waiter
        self._active -= 1
        if kind == "signal" and self._take_signal(waiter):
            return waiter
        if self._queue or self._held:
            self._held.append(waiter)
        else:
            self._go_live(waiter)
        if self._queue or self._held or self._new:
            self.pump()
        return waiter

    def abandon(self, waiter: Waiter) -> bool:
        """The call was cancelled. True: wait on, under a shield, until the waiter is OVER, and only then let go."""
        if waiter.state is OVER or waiter.branch.waiter is not waiter:
            return False
        if waiter.kind == "step" and waiter.state is not BACKING_OFF:
            waiter.is_aborted = True
            if waiter.state is LIVE and not waiter.is_told:
                self._record_aborted(waiter)
            return True
        if self._is_given_up(waiter):
            self._owed[waiter.path] = None
            if waiter.kind in _WAITED_FOR:
                self._go_to(waiter, CANCELLING)
                self.pump()
                return waiter.state is CANCELLING
        self._line_up(waiter)
        self.pump()
        return waiter.state is LEAVING

    def join_call(self, waiter: Waiter, branch: Branch) -> bool:
        """The branch waits for the end of a detached call. False: that is over already."""
        if waiter.state is OVER:
            return False
        if waiter.joined is not None:
            raise InvalidArgument(f"two branches wait for the same {waiter}; let one of them tell the other")
        if branch.waiter is not None:
            raise InvalidArgument(f"{waiter} was waited for while the same branch waits for {branch.waiter}")
        waiter.joined = branch
        branch.waiter = waiter
        self._active -= 1
        self.pump()
        return True

    def leave_call(self, waiter: Waiter) -> Waiter | None:
        """The wait was cancelled, the call was not. A waiter is to be waited for as `abandon` tells."""
        branch = waiter.joined
        if branch is None:
            return None
        waiter.joined = None
        turn = branch.waiter = Waiter(f"{branch.prefix}{branch.count}", waiter.kind, waiter.name, branch, None, LEAVING)
        insort(self._leaving, turn, key=_place)
        self.pump()
        return turn if turn.state is LEAVING else None

    def give_up(self, waiter: Waiter) -> None:
        """The run ends and does not want a detached call any more; a child is waited for by `join_call`."""
        if waiter.state is OVER or waiter.state is CANCELLING:
            return
        self._owed[waiter.path] = None
        if waiter.kind in _WAITED_FOR:
            waiter.state = CANCELLING
        else:
            self._abandoned.add(waiter.path)
            del self.waiters[waiter.path]
            waiter.state = OVER
        self.pump()

    def fork(self, branch: Branch) -> Fork:
        """A call that opens branches. It takes a number of its branch's, like any durable call."""
        if branch.waiter is not None:
            raise InvalidArgument(f"branches were opened while the same branch waits for {branch.waiter}")
        fork = Fork(branch.next_path(), branch)
        branch.count += 1
        branch.draws = 0
        self._forks.add(fork.path)
        return fork

    def open_branch(self, fork: Fork) -> Branch:
        """It begins when everybody is at rest: see `begun`."""
        fork.opened += 1
        fork.running += 1
        branch = Branch(f"{fork.path}.{fork.opened}.", fork.branch.clock)
        self._new.append(branch)
        return branch

    def close_branch(self, fork: Fork, branch: Branch) -> None:
        """The branch's function has ended. Whoever waits for the last one goes on in its stead."""
        if not branch.has_begun:
            # Cancelled before its turn.
            self._new.remove(branch)
            self._active += 1
        fork.running -= 1
        fork.branch.clock = max(fork.branch.clock, branch.clock)
        if fork.is_joining and fork.running == 0:
            return
        self._active -= 1
        self.pump()

    def join(self, fork: Fork) -> None:
        """The opening branch waits for its branches from now on."""
        fork.is_joining = True
        if fork.running:
            self._active -= 1
            self.pump()

    def finish(self, how: str = "has ended") -> None:
        """The workflow function is over. Whatever the history still holds for it is a mismatch."""
        self._active -= 1
        self._how_over = how
        if self._is_settling:
            self.settled()
        else:
            self.pump()

    # What the server does.

    def receive(self, at: int, record: Record) -> None:
        """The next fact of the history, or one of the run's own commands now that it is recorded. Call `pump` then."""
        self._queue.append((at, record))

    def settled(self) -> None:
        """The cancel has reached every branch."""
        if self._is_settling:
            self._is_settling = False
            self._active -= 1
            self.pump()

    def pump(self, *, impatient: bool = False) -> None:
        """Deliver what may be delivered now. `NonDeterminism` out of it is the end of this object."""
        queue, new, leaving = self._queue, self._new, self._leaving
        while queue or new or leaving:
            if self._active and not impatient:
                return
            if leaving:
                self._let_go(leaving.pop(0))
            elif new:
                self._begin(new.popleft())
            elif self._deliver(*queue[0]):
                queue.popleft()
            else:
                return
            if self._active:
                impatient = False
        if self._owed:
            self.commands.extend(c.CancelPending(path) for path in sorted(self._owed, key=place_of))
            self._owed.clear()
        if self._held and (impatient or not self._active):
            self._go_on_live()

    def _line_up(self, waiter: Waiter) -> None:
        """Nothing keeps its branch from going on but that others do."""
        self._abandoned.add(waiter.path)
        self._go_to(waiter, LEAVING)
        del self.waiters[waiter.path]
        insort(self._leaving, waiter, key=_place)

    def _let_go(self, waiter: Waiter) -> None:
        waiter.state = OVER
        waiter.branch.waiter = None
        self._active += 1
        self.woken.append(waiter)

    def _record_aborted(self, waiter: Waiter) -> None:
        waiter.is_told = True
        self.commands.append(c.RecordStep(waiter.path, waiter.name, None, ABORTED, waiter.attempt))

    def _begin(self, branch: Branch) -> None:
        branch.has_begun = True
        self._active += 1
        self.begun.append(branch)

    def _deliver(self, at: int, record: Record) -> bool:
        """False: not now, the code must reach the record's path first."""
        meaning = MEANINGS.get(type(record))
        if meaning is None:
            self._note(record)
            return True
        path: str = getattr(record, "path")  # noqa: B009 - every class in MEANINGS has one
        if path in self._abandoned:
            if meaning.verb is not Verb.STARTS:
                self._owed.pop(path, None)
            return True
        waiter = self.waiters.get(path)
        name = getattr(record, meaning.name) if meaning.name else ""
        if waiter is None:
            self._check_reachable(path, describe(meaning.kind, name))
            return False
        if waiter.state is BACKING_OFF and isinstance(record, e.TimerFired):
            waiter.state = HELD
            self._held.append(waiter)
            return True
        if waiter.kind != meaning.kind or (meaning.name and waiter.name != name):
            there = describe(meaning.kind, name)
            raise NonDeterminism(f"at {path} the history holds {there}, the code asks for {waiter}")
        if meaning.verb is Verb.STARTS:
            self._start(waiter, at)
        elif isinstance(record, e.StepRetried):
            self._go_to(waiter, BACKING_OFF)
            waiter.attempt = record.attempt + 1
            waiter.is_told = False
            if waiter.is_aborted:
                self._owed[path] = None
                self._line_up(waiter)
        elif meaning.verb is Verb.GIVES_UP:
            if waiter.state is not CANCELLING:
                raise NonDeterminism(f"at {path} the history holds that {waiter} was given up, the code waits for it")
            self._owed.pop(path, None)
        else:
            self._end(waiter, at, record, cancelled=meaning.verb is Verb.CANCELS)
        return True

    def _start(self, waiter: Waiter, at: int) -> None:
        if waiter.state is CANCELLING:
            return
        self._go_to(waiter, STARTED)
        if waiter.is_detached and waiter.branch.waiter is waiter:
            waiter.branch.waiter = None
            waiter.branch.clock = at
            self._active += 1
            self.woken.append(waiter)

    def _end(self, waiter: Waiter, at: int, record: Record, *, cancelled: bool) -> None:
        if self._owed:
            self._owed.pop(waiter.path, None)
        waiter.result = getattr(record, "result", None)
        waiter.failure = getattr(record, "failure", None)
        waiter.cancelled = cancelled
        if waiter.joined is not None or waiter.branch.waiter is not waiter:
            self._end_detached(waiter, at)
            return
        waiter.branch.clock = at
        self._leave(waiter)
        self.woken.append(waiter)

    def _end_detached(self, waiter: Waiter, at: int) -> None:
        waiter.state = OVER
        del self.waiters[waiter.path]
        if waiter.joined is not None:
            waiter.joined.waiter = None
            waiter.joined.clock = at
            waiter.joined = None
            self._active += 1
            self.woken.append(waiter)

    def _note(self, record: Record) -> None:
        """Facts that are about the run as a whole."""
        if isinstance(record, e.RunStarted):
            if record.attempt > 1:
                for waiter in self.waiters.values():
                    if waiter.state is not BACKING_OFF:
                        waiter.attempt += 1
        elif isinstance(record, e.RunForked):
            self.seed = record.seed
        elif isinstance(record, e.SignalReceived):
            self._on_signal(record)
        elif isinstance(record, e.CancelRequested) and not self._how_over:
            self.cancel = record
            self._is_settling = True
            self._active += 1

    def _go_live(self, waiter: Waiter) -> None:
        if waiter.kind == "signal":
            waiter.state = STARTED
            return
        waiter.state = LIVE
        if waiter.goes_on_when_recorded:
            self.live_calls += 1
        if waiter.command is not None:
            self.commands.append(waiter.command)
        elif waiter.is_aborted:
            self._record_aborted(waiter)
        else:
            self.woken.append(waiter)

    def _take_signal(self, waiter: Waiter) -> bool:
        """One that came before anybody asked for it."""
        kept = self._signals.get(waiter.name)
        if not kept:
            return False
        waiter.result = kept.popleft()
        self._leave(waiter)
        return True

    def _on_signal(self, record: e.SignalReceived) -> None:
        """To whoever has waited longest for a signal of that name, or kept until somebody does."""
        for waiter in self.waiters.values():
            if waiter.kind == "signal" and waiter.name == record.name:
                waiter.result = record.value
                self._leave(waiter)
                self.woken.append(waiter)
                return
        self._signals.setdefault(record.name, deque()).append(record.value)

    def _go_on_live(self) -> None:
        held, self._held = self._held, []
        for waiter in held:
            if waiter.state is HELD:
                self._go_live(waiter)

    def _is_given_up(self, waiter: Waiter) -> bool:
        """Must the server be asked to? It has it, or the history that was received says that it had."""
        if waiter.state is BACKING_OFF:
            return True
        if waiter.kind not in _AT_THE_SERVER:
            return False
        if waiter.state is not HELD:
            return True
        return any(getattr(record, "path", None) == waiter.path for _, record in self._queue)

    def _go_to(self, waiter: Waiter, state: WaiterState) -> None:
        if waiter.state is LIVE and waiter.goes_on_when_recorded:
            self.live_calls -= 1
        waiter.state = state

    def _leave(self, waiter: Waiter) -> None:
        self._go_to(waiter, OVER)
        waiter.branch.waiter = None
        del self.waiters[waiter.path]
        self._active += 1

    def _check_reachable(self, path: str, there: str) -> None:
        """Raises if the code can not come to rest at `path` any more."""
        if path in self._forks:
            raise NonDeterminism(f"at {path} the history holds {there}, the code opens branches")
        parts = path.split(".")
        above = [".".join(parts[:size]) for size in range(1, len(parts) - 1, 2)]
        waiter = next(filter(None, map(self.waiters.get, above)), None)
        if waiter is not None:
            raise NonDeterminism(
                f"at {waiter.path} the history holds branches ({there} at {path}), the code asks for {waiter}"
            )
        if self._active:
            return
        if self._how_over:
            raise NonDeterminism(f"at {path} the history holds {there}, the code {self._how_over} without it")
        waiting = ", ".join(f"{other} at {other.path}" for other in self.waiters.values())
        raise NonDeterminism(f"at {path} the history holds {there}, the code waits for {waiting}")


def _place(waiter: Waiter) -> list[int]:
    return place_of(waiter.path)
