"""One run in the hands of this worker: its code as a task, its `Replay`, and what it has to say to the server.

`Replay` decides, this acts: it wakes the branches that may go on, collects the commands to send, and cancels the code.
The session is the way out: it calls `receive` and `acknowledge` with what comes in, and `take` for what goes out.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

import anyio
import anyio.lowlevel

from aether.errors import AetherError, InvalidArgument, NonDeterminism, StepFailed
from aether.model import commands as c
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import ABORTED
from aether.sdk.converters import Converter
from aether.sdk.define import Workflow, check_name
from aether.sdk.ending import compensate, end_spawned, end_stray, how_it_ended, outcome_of
from aether.sdk.failures import failure_in, from_failure, to_failure
from aether.sdk.gate import Event
from aether.sdk.meanings import Kind
from aether.sdk.replay import Replay
from aether.sdk.steps import Lane, StepRules, call, completed, failed, plan_of
from aether.sdk.traces import Traced, leave, traced_run
from aether.sdk.waiters import LIVE, OVER, Branch, Fork, Waiter

if TYPE_CHECKING:
    from aether.sdk.context import Context

P = ParamSpec("P")
T = TypeVar("T")

# Scheduler passes in which a cancel has reached every task that waits.
_SETTLE_PASSES: Final = 5
# Calls that are answered from history without a pause, before others get their turn.
_STRIDE: Final = 100
_NAMES_MAX: Final = 10_000

# The run and the branch whose code is executing; None inside a step.
PLACE: ContextVar["tuple[Run, Branch] | None"] = ContextVar("aether_place", default=None)
_log = logging.getLogger("aether.worker")
_good_names: set[str] = set()


class Port(Protocol):
    """What a run needs of the session that holds it."""

    converter: Converter
    new_event: Callable[[], Event]
    steps: Lane
    is_draining: bool
    # The server tells spans of all runs.
    is_traced: bool

    def now(self) -> int:
        """Microseconds since the epoch, on the server's clock."""

    def mark(self, run: "Run") -> None:
        """The run has something to send, or may have begun to wait for the server."""

    def fidget(self, run: "Run") -> None:
        """The run has facts that it can not deliver yet; call `hurry` if it stays so."""

    def spawn(self, function: Callable[[], Coroutine[None, None, None]]) -> None: ...

    def reuse(self, run_id: str, path: str) -> c.RecordStep | None:
        """The outcome of a step that ended here before, and was never acknowledged."""

    def keep(self, run_id: str, command: c.RecordStep) -> None: ...


class Run:
    """Executes one lease of one run."""

    def __init__(self, port: Port, token: int, created: e.RunCreated, at: int, workflow: Workflow[..., Any]) -> None:
        self.token = token
        self.workflow_id = created.workflow_id
        self.run_id = created.run_id
        self.workflow = workflow
        self.replay = Replay(Branch("", clock=at))
        self.known_seq = 0
        # The code is no longer wanted: the lease is gone, or the run is answered already.
        self.is_dropped = False
        # The last command of the lease is out.
        self.is_closing = False
        # Its history was complete, so its code could begin.
        self.has_started = False
        # The server thinks that the run is busy here.
        self.is_busy = True
        # Something in it was cancelled, so that a new call may stand in a cancelled scope.
        self.has_cancels = False
        self.moves = 0
        self._hurried_at = 0
        self._seed = created.seed or created.run_id
        self._traced: Traced | None = None
        if created.traceparent or port.is_traced:
            self._traced = traced_run(created.traceparent, created.run_id)
        self._port = port
        self._input = created.input
        self._commands: list[c.RunCommand] = []
        self._sent: deque[list[c.RunCommand]] = deque()
        # Shielded: whatever ends the session drops its runs first, and only then are they cancelled. Code that is told
        # in another way would take it for a cancel of the run, and clean up what goes on elsewhere.
        self._scope = anyio.CancelScope(shield=True)
        self._shields: set[anyio.CancelScope] = set()
        self._cancel_reason: str | None = None
        self._calls = 0
        # What is to be undone if the run does not end well: (name, function, arguments) of steps.
        self.compensations: list[tuple[str, Callable[..., object], tuple[Any, ...]]] = []
        # Set when `is_dropped` is.
        self._gone = port.new_event()

    # The code.

    async def main(self, context: "Context") -> None:
        """The run's task. Never raises what the user's code raises."""
        PLACE.set((self, self.replay.root))
        end: c.RunCommand | None = None
        with self._scope:
            end = await outcome_of(self.workflow, context, self._input, self._port.converter)
        if not self.is_dropped and self.replay.waiters:
            end = await end_stray(self) or end
            await end_spawned(self)
        if self.is_dropped:
            return
        if end is None:
            end = c.CancelRun(self._cancel_reason or "")
        if self.compensations and not isinstance(end, c.CompleteRun):
            end = await compensate(self, end)
        if end is None:
            return
        self.guard(self.replay.finish, how_it_ended(end))
        if not self.is_dropped:
            self._close(end)

    @property
    def seed(self) -> str:
        """What the code's random values follow from: in a fork, that of its source until it is on its own."""
        return self.replay.seed or self._seed

    def branch(self, what: str) -> Branch:
        """The branch whose code is executing. Raises if that is not code of this run."""
        place = PLACE.get()
        if place is None or place[0] is not self:
            where = "inside a step or outside of any workflow" if place is None else "in another run"
            raise InvalidArgument(
                f"ctx.{what} of run {self.run_id} was called {where}; only the workflow's own code may call it"
            )
        if self.is_closing or self.is_dropped:
            raise InvalidArgument(f"ctx.{what} was called after run {self.run_id} had ended at this worker")
        return place[1]

    async def admit(self) -> None:
        """Before a durable call: not in a cancelled scope, and not so many from history that nobody else has a turn."""
        self._calls += 1
        if self._port.is_draining:
            # The worker is about to stop: what has not begun is somebody else's.
            await self._gone.wait()
            await self._vanish()
        if self.has_cancels or self._calls % _STRIDE == 0:
            await anyio.lowlevel.checkpoint()

    def register(
        self,
        branch: Branch,
        kind: Kind,
        name: str,
        command: c.RunCommand | None = None,
        *,
        is_detached: bool = False,
    ) -> Waiter:
        if kind != "timer" and name not in _good_names:
            if len(_good_names) >= _NAMES_MAX:
                _good_names.clear()
            _good_names.add(check_name(name, f"{kind} name"))
        try:
            waiter = self.replay.register(branch, kind, name, command, is_detached=is_detached)
        except NonDeterminism as mismatch:
            self._block(mismatch)
            waiter = Waiter("", kind, name, branch, None)
        self._act()
        return waiter

    async def wait(self, waiter: Waiter) -> None:
        """Until the waiter goes on: a step to LIVE or OVER, anything else to OVER."""
        event = self._port.new_event()
        waiter.wake = event.set
        if not self.is_dropped:
            try:
                await event.wait()
            except BaseException:
                if not self.is_dropped and self.guard(self.replay.abandon, waiter):
                    await self.wait_for_end(waiter)
                raise
        if self.is_dropped:
            await self._vanish()

    async def wait_for_start(self, waiter: Waiter) -> None:
        """Until a detached call is recorded; its branch goes on then."""
        if waiter.branch.waiter is waiter:
            await self.wait(waiter)

    async def join_call(self, waiter: Waiter, branch: Branch) -> None:
        """Until a detached call is over."""
        event = self._port.new_event()
        before, waiter.wake = waiter.wake, event.set
        if self.guard(self.replay.join_call, waiter, branch):
            try:
                await event.wait()
            except BaseException:
                if not self.is_dropped and (turn := self.guard(self.replay.leave_call, waiter)) is not None:
                    await self.wait_for_end(turn)
                raise
        else:
            waiter.wake = before
        if self.is_dropped:
            await self._vanish()

    async def wait_for_end(self, waiter: Waiter) -> None:
        event = self._port.new_event()
        waiter.wake = event.set
        with self.shield():
            await event.wait()

    async def _vanish(self) -> None:
        """End code that is not wanted here any more: by its cancelled scope, or, if it has a shield, by an error."""
        await anyio.lowlevel.checkpoint()
        raise InvalidArgument(f"run {self.run_id} is not in the hands of this worker any more")

    @contextmanager
    def shield(self) -> Iterator[None]:
        """A scope that a cancel of the run does not reach, and the loss of the run does."""
        with anyio.CancelScope(shield=True) as scope:
            if self.is_dropped:
                scope.cancel()
            self._shields.add(scope)
            try:
                yield
            finally:
                self._shields.discard(scope)

    async def settle(self) -> None:
        """After a cancel: let it reach whatever it is to reach, before anything else is delivered."""
        with anyio.CancelScope(shield=True):
            for _ in range(_SETTLE_PASSES):
                await anyio.lowlevel.checkpoint()

    def fork(self, branch: Branch) -> Fork:
        return self.replay.fork(branch)

    def open_branch(self, fork: Fork) -> Branch:
        branch = self.replay.open_branch(fork)
        self._act()
        return branch

    async def begin(self, branch: Branch) -> None:
        """Wait for the branch's turn, in its own task."""
        if not branch.has_begun and not self.is_dropped:
            event = self._port.new_event()
            branch.begin = event.set
            await event.wait()
        if self.is_dropped:
            await self._vanish()

    def close_branch(self, fork: Fork, branch: Branch) -> None:
        if not self.is_dropped:
            self.guard(self.replay.close_branch, fork, branch)

    def join(self, fork: Fork) -> None:
        """The branch waits for those that it has opened, which begin then."""
        if not self.is_dropped:
            self.guard(self.replay.join, fork)

    async def step(self, branch: Branch, name: str, function: Callable[..., Any], rules: StepRules) -> Any:
        waiter = self.register(branch, "step", name)
        if waiter.state is not LIVE and waiter.state is not OVER:
            await self.wait(waiter)
        plan = plan_of(function)
        while waiter.state is LIVE:
            try:
                await self._perform(waiter, function, rules)
            except BaseException:
                if not self.is_dropped and self.guard(self.replay.abandon, waiter):
                    await self.wait_for_end(waiter)
                raise
            await self.wait(waiter)
        if waiter.failure is not None:
            raise from_failure(StepFailed, f"step {name!r}", waiter.failure) from waiter.cause
        if waiter.memo is not None:
            return waiter.memo[0]
        assert waiter.result is not None
        return self._port.converter.decode(waiter.result, f"the result of step {name!r}", plan.returned)

    async def _perform(self, waiter: Waiter, function: Callable[..., Any], rules: StepRules) -> None:
        """One attempt. What came of it is on its way when this returns."""
        port = self._port
        command: c.RecordStep | c.FailStep | None = port.reuse(self.run_id, waiter.path)
        if command is None or command.name != waiter.name:
            started_at = port.now()
            token = PLACE.set(None)
            span = self._traced.enter(waiter.path, waiter.attempt) if self._traced is not None else None
            try:
                plan = plan_of(function)
                value = await call(plan, function, rules.args, rules.timeout_s, port.steps)
                command = completed(waiter, value, plan.returned, started_at, port.converter)
            except BaseException as error:
                if (failure := failure_in(error)) is None:
                    raise
                waiter.cause = failure
                command = failed(waiter, to_failure(failure), rules.retry, started_at)
            finally:
                PLACE.reset(token)
                if span is not None:
                    leave(span)
        if not self.is_dropped:
            waiter.is_told = True
            self._commands.append(command)
            port.mark(self)
        elif isinstance(command, c.RecordStep):
            port.keep(self.run_id, command)

    # The server.

    def receive(self, events: Iterable[e.Event], *, is_partial: bool = False) -> None:
        """What the server knows and this worker does not. `is_partial`: more of it is under way."""
        if self.is_dropped or self.is_closing:
            return
        for event in events:
            if event.seq > self.known_seq:
                self.known_seq = event.seq
                self.replay.receive(event.at, event.fact)
        self.is_busy = True
        if not is_partial:
            self.guard(self.replay.pump)
            self._port.mark(self)

    def acknowledge(self, seq: int, at: int) -> None:
        """The oldest unanswered request of this run is recorded."""
        commands = self._sent.popleft()
        self.known_seq = max(self.known_seq, seq)
        if self.is_dropped or self.is_closing:
            return
        for command in commands:
            self.replay.receive(at, command)
        self.guard(self.replay.pump)

    def refuse(self, error: AetherError) -> bool:
        """The oldest unanswered request was refused: nothing of it was done. False: forget the run."""
        commands = self._sent.popleft()
        if any(isinstance(command, c.BlockRun) for command in commands):
            return False
        failed = any(isinstance(command, c.FailRun) for command in commands)
        self._stop()
        self._commands = [c.BlockRun(to_failure(error)) if failed else c.FailRun(to_failure(error))]
        self.is_closing = True
        self._port.mark(self)
        return True

    def take(self, limit: int = DEFAULT_LIMITS.commands_max) -> tuple[list[c.RunCommand], bool] | None:
        """Commands to send, and whether the run then waits for the server. None: there is nothing to say."""
        commands, self._commands = self._commands[:limit], self._commands[limit:]
        if self._commands:
            self._port.mark(self)
        is_blocked = (
            self.is_busy
            and not self._commands
            and not self.is_closing
            and not self.is_dropped
            and self.replay.waits_for_server
            and not any(isinstance(command, c.CancelPending) for command in commands)
        )
        if not commands and not is_blocked:
            return None
        self.is_busy = not is_blocked
        self._sent.append(commands)
        return commands, is_blocked

    def put_back(self, count: int) -> None:
        """The last ones of what was taken last are too much for one message: they go out with the next."""
        taken = self._sent[-1]
        self._commands[:0] = taken[-count:]
        del taken[-count:]
        self.is_busy = True
        self._port.mark(self)

    @property
    def is_over(self) -> bool:
        """Its last command is acknowledged."""
        return self.is_closing and not self._commands and not self._sent

    @property
    def is_idle(self) -> bool:
        """Nothing that it has done is unknown to the server."""
        return not self._commands and not self._sent and not self.replay.live_calls

    @property
    def is_parked(self) -> bool:
        """It may be forgotten and replayed later, at no loss."""
        return not self.is_busy and not self._commands and not self._sent

    def hurry(self) -> None:
        """A branch waits for something of its own; what others wait for is delivered all the same."""
        if not self.is_dropped and not self.is_closing:
            self._hurried_at = self.replay.unrest
            self.guard(self._hurry)

    def _hurry(self) -> None:
        self.replay.pump(impatient=True)

    def drop(self) -> None:
        """The run is not this worker's any more: cancel its code, and say nothing."""
        if not self.is_dropped:
            for command in (*self._commands, *(command for sent in self._sent for command in sent)):
                if isinstance(command, c.RecordStep) and command.failure is not ABORTED:
                    self._port.keep(self.run_id, command)
            self._commands.clear()
            self._stop()

    def _stop(self) -> None:
        self.is_dropped = True
        self._gone.set()
        self._scope.cancel()
        for scope in list(self._shields):
            scope.cancel()
        for wake in self.replay.sleepers():
            wake()

    def _block(self, mismatch: NonDeterminism) -> None:
        fields = {"workflow_id": self.workflow_id, "run_id": self.run_id, "workflow_type": self.workflow.name}
        told = {"event": "run_blocked", "fields": fields}
        _log.error("run %s of workflow %r is blocked: %s", self.run_id, self.workflow_id, mismatch, extra=told)
        self._stop()
        self._close(c.BlockRun(to_failure(mismatch)))

    def _close(self, command: c.RunCommand) -> None:
        self.is_closing = True
        self._commands.append(command)
        self._port.mark(self)

    def guard(self, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Change the replay and do what follows from it; a mismatch ends this run here."""
        try:
            result = change(*args, **kwargs)
        except NonDeterminism as mismatch:
            self._block(mismatch)
            return None
        self._act()
        return result

    def _act(self) -> None:
        replay = self.replay
        self.moves += 1
        if replay.woken:
            for waiter in replay.woken:
                if waiter.wake is not None:
                    waiter.wake()
            replay.woken.clear()
        if replay.begun:
            for branch in replay.begun:
                if branch.begin is not None:
                    branch.begin()
            replay.begun.clear()
        if replay.commands:
            self._commands += replay.commands
            replay.commands.clear()
            self._port.mark(self)
        elif self.is_busy and replay.waits_for_server:
            self._port.mark(self)
        if replay.cancel is not None:
            self._cancel_reason = replay.cancel.reason
            replay.cancel = None
            self.has_cancels = True
            self._scope.cancel()
            self._port.spawn(self._settle_cancel)
        # Not again, if nothing came of it: something else has to happen first.
        unrest, hurried_at, self._hurried_at = replay.unrest, self._hurried_at, 0
        if unrest and unrest != hurried_at:
            self._port.fidget(self)

    async def _settle_cancel(self) -> None:
        await self.settle()
        if not self.is_dropped:
            self.guard(self.replay.settled)
