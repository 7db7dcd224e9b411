"""One worker session: the stream to the server, and the runs and attempts that the server has handed over.

What comes in is handed out by the connection's reader, in order. What the runs have to say is put together when the
connection is about to write, in one message for all that is ready in a scheduler pass. Beside that there are few tasks:
one waits for the end, one sends signs of life, and one nudges runs that wait for something of their own. Each run and
each attempt is a task too. When the stream ends, all of them end: the server gives what they were at to somebody else,
and nothing that they would say is heard any more.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import anyio
import anyio.lowlevel
from attrs import frozen
from google.protobuf.message import DecodeError

from aether.errors import InvalidArgument, SessionExpired, StaleLease
from aether.model import commands as c
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Failure, Payload
from aether.model.runs import Labels
from aether.sdk.context import Context
from aether.sdk.converters import Converter
from aether.sdk.define import Activity, Workflow
from aether.sdk.execute import Attempt
from aether.sdk.failures import to_failure
from aether.sdk.gate import Gate, Group, event_maker, loop_clock, open_group
from aether.sdk.run import Run
from aether.sdk.steps import Lane, ThreadLane
from aether.sdk.transport import TransportStream
from aether.sdk.watchdog import Watchdog
from aether.wire.convert import event_from_proto, fill_command, has_large_payload, pack_completion
from aether.wire.errors import error_from_refusal
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.generated.aether.v1.model_pb2 import AwaitedSignal
from aether.wire.status import Code, RpcError
from aether.wire.values import payload_to_proto

# Of a step beside its result, at most: its name has 256 characters.
_STEP_BYTES: Final = 1_024
# Larger messages are sent in parts; the transport's limit is 4 MiB.
_MESSAGE_BYTES: Final = 512 * 1024
# Scheduler passes after which a run that still waits for something of its own is not waited for.
_PATIENCE_PASSES: Final = 10
_HEARTBEATS_PER_TIMEOUT: Final = 3
# A session may last for weeks, and by so much more than they do no two clocks of machines differ.
_DRIFT: Final = 200e-6
# Steps that are plain functions run in so many threads at a time; more of them wait.
_STEP_THREADS: Final = 64
_FORGET: Final = (StaleLease, SessionExpired)


@frozen
class WorkerSettings:
    """What a worker registers as, and its bounds."""

    worker_id: str
    task_queue: str
    workflows: Mapping[str, Workflow[..., Any]]
    activities: Mapping[str, Activity[..., Any]]
    workflow_slots: int
    activity_slots: int
    # Runs kept in memory while they wait; those unused for longest are replayed when they go on.
    resident_max: int
    labels: Labels = ()
    # Given how many calls at a time, where steps and activities are called that are plain functions.
    make_lane: Callable[[int], Lane] = ThreadLane
    # Whether a thread looks on as the event loop turns.
    is_watched: bool = True

    def registration(self) -> pb.RegisterRequest:
        return pb.RegisterRequest(
            worker_id=self.worker_id,
            task_queue=self.task_queue,
            workflow_types=list(self.workflows),
            activity_types=list(self.activities),
            workflow_slots=self.workflow_slots,
            activity_slots=self.activity_slots,
            labels=dict(self.labels),
        )


class Outcomes:
    """Steps that ended at this worker and whose record was never acknowledged, for when their run comes back."""

    def __init__(self, size_max: int = 10_000) -> None:
        self._size_max = size_max
        self._lineage = 0
        self._kept: OrderedDict[tuple[str, str], c.RecordStep] = OrderedDict()

    def go_on(self, lineage: int) -> None:
        """After registering. Runs may have gone back to before what their steps were given: outcomes do not fit."""
        if lineage != self._lineage:
            self._lineage = lineage
            self._kept.clear()

    def keep(self, run_id: str, command: c.RecordStep) -> None:
        self._kept[run_id, command.path] = command
        if len(self._kept) > self._size_max:
            self._kept.popitem(last=False)

    def reuse(self, run_id: str, path: str) -> c.RecordStep | None:
        return self._kept.pop((run_id, path), None) if self._kept else None


class Session:
    """From registering to the end of the stream. One for each connection."""

    def __init__(
        self, settings: WorkerSettings, converter: Converter, outcomes: Outcomes, stream: TransportStream
    ) -> None:
        self.settings = settings
        self.converter = converter
        self.new_event = event_maker()
        self._clock = loop_clock()
        self.steps = settings.make_lane(_STEP_THREADS)
        self.attempts = settings.make_lane(settings.activity_slots or DEFAULT_LIMITS.activity_slots_default)
        self.is_draining = False
        self._is_over = False
        self.is_traced = False
        self._outcomes = outcomes
        self._stream = stream
        self._registered = pb.RegisterResponse()
        self._group: Group
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._attempts: dict[int, Attempt] = {}
        self._dirty: OrderedDict[Run, None] = OrderedDict()
        self._fidgety: dict[Run, int] = {}
        self._finished: deque[tuple[int, c.ActivityCommand]] = deque()
        self._beats: OrderedDict[int, Payload] = OrderedDict()
        self._releases: list[tuple[int, int]] = []
        self._has_fidgety = Gate()
        self._is_idle = Gate()
        self._clock_offset: float | None = None
        # When the message came that is being read, by the local clock.
        self._arrived_at = 0.0

    # The tasks.

    async def run(self, on_registered: Callable[[], None]) -> None:
        """Until the stream ends. Raises `RpcError` if it does not end well."""
        self._send(pb.WorkerMessage(register=self.settings.registration()))
        async with open_group() as group:
            self._group = group
            try:
                await self._read_registration()
                on_registered()
                group.start_soon(self._keep_alive)
                group.start_soon(self._nudge)
                if self.settings.is_watched and self._registered.session_timeout_ms:
                    group.start_soon(Watchdog(self._registered.session_timeout_ms / 1000).run)
                self._stream.hand_over(self._receive, self._flush)
                await self._stream.receive()
            finally:
                # Before the group waits for them: a shield would keep them here for ever, and a thread until it ends.
                self._drop_all()
                self._is_over = True
                self._is_idle.open()
                self._stream.cancel()
                group.cancel_scope.cancel()

    async def drain(self) -> None:
        """Take nothing new, and come back when nothing is in hand any more. Bounded by the caller."""
        self.is_draining = True
        self._send(pb.WorkerMessage(drain=True))
        while not self._is_drained():
            await self._is_idle.wait()
        self._stream.half_close()

    def _is_drained(self) -> bool:
        return self._is_over or (not self._attempts and all(run.is_idle for run in self._runs.values()))

    def _drop_all(self) -> None:
        for run in self._runs.values():
            run.drop()
        for attempt in self._attempts.values():
            attempt.revoke()

    async def _keep_alive(self) -> None:
        interval_s = self._registered.session_timeout_ms / 1000 / _HEARTBEATS_PER_TIMEOUT
        beat = pb.WorkerMessage(heartbeats=[pb.HeartbeatRequest(session_id=self._registered.session_id)])
        while interval_s > 0:
            await anyio.sleep(interval_s)
            self._send(beat)
            if self._clock_offset is not None:
                self._clock_offset -= interval_s * 1e6 * _DRIFT

    async def _nudge(self) -> None:
        while True:
            await self._has_fidgety.wait()
            waiting, self._fidgety = self._fidgety, {}
            for _ in range(_PATIENCE_PASSES):
                await anyio.lowlevel.checkpoint()
                # One that moves tells again if it is not at rest then.
                waiting = {run: moves for run, moves in waiting.items() if run.moves == moves}
                if not waiting:
                    break
            for run in waiting:
                run.hurry()
            if self.is_draining:
                # What was delivered so may have been the last that the runs had in hand.
                self._is_idle.open()

    def _flush(self) -> None:
        # First, for an attempt that is answered can not tell anything any more.
        self._send_beats()
        self._send_completions()
        if self._dirty or self._finished or self._beats:
            # More than there is room for: the rest when the server has read some of it.
            self._stream.ask()

    def _send(self, message: pb.WorkerMessage) -> None:
        self._stream.send(message.SerializeToString())

    def _send_completions(self) -> None:
        message, size = pb.WorkerMessage(), 0
        stream = self._stream
        while self._dirty and not stream.is_congested:
            # One that has more to say than there is room for comes again behind all others.
            run = self._dirty.popitem(last=False)[0]
            output = run.take()
            if output is None:
                continue
            commands, is_blocked = output
            if len(commands) == 1 and has_large_payload(commands[0]):
                self._send_what_is(message)
                message, size = pb.WorkerMessage(), 0
                head = pb.CompleteStepRequest(token=run.token, blocked=is_blocked, known_seq=run.known_seq)
                if is_blocked:
                    head.awaits.extend(_awaited(run))
                stream.send(pack_completion(head, commands[0]))
                continue
            request = message.completions.add(token=run.token, blocked=is_blocked, known_seq=run.known_seq)
            if is_blocked:
                request.awaits.extend(_awaited(run))
            for number, command in enumerate(commands, start=1):
                size += _add_command(request, command)
                if size > _MESSAGE_BYTES and number < len(commands):
                    request.blocked = False
                    run.put_back(len(commands) - number)
                    break
            if size > _MESSAGE_BYTES:
                self._send(message)
                message, size = pb.WorkerMessage(), 0
        self._send_finished(message, size)

    def _send_finished(self, message: pb.WorkerMessage, size: int) -> None:
        stream = self._stream
        while self._finished and not stream.is_congested:
            token, finished = self._finished.popleft()
            if has_large_payload(finished):
                stream.send(pack_completion(pb.CompleteStepRequest(token=token), finished))
                continue
            size += _add_command(message.completions.add(token=token), finished)
            if size > _MESSAGE_BYTES:
                self._send(message)
                message, size = pb.WorkerMessage(), 0
        for token, known_seq in self._releases:
            message.completions.add(token=token, blocked=True, known_seq=known_seq, release=True)
        self._releases.clear()
        self._send_what_is(message)

    def _send_what_is(self, message: pb.WorkerMessage) -> None:
        if message.completions:
            self._send(message)

    def _send_beats(self) -> None:
        session_id = self._registered.session_id
        while self._beats and not self._stream.is_congested:
            token, details = self._beats.popitem(last=False)
            beat = pb.HeartbeatRequest(session_id=session_id, token=token, details=payload_to_proto(details))
            self._send(pb.WorkerMessage(heartbeats=[beat]))

    # What comes in.

    async def _read_registration(self) -> None:
        for data in await self._stream.receive():
            message = _parse(data)
            if message.HasField("registered"):
                self._registered = message.registered
                self.is_traced = message.registered.traces
                self._outcomes.go_on(message.registered.lineage)
            self._take(message)
        if not self._registered.session_id:
            raise RpcError(Code.UNAVAILABLE, "the server ended the session before it began")

    def _receive(self, data: bytes) -> None:
        self._take(_parse(data))

    def _take(self, message: pb.ServerMessage) -> None:
        self._arrived_at = self._clock() * 1e6
        for delivery in message.deliveries:
            if delivery.HasField("response"):
                self._on_response(delivery.response)
            else:
                self._on_task(delivery.task)

    def _on_response(self, response: pb.CompleteStepResponse) -> None:
        run = self._runs.get(response.token)
        if run is None:
            self._on_attempt_response(response)
            return
        if response.HasField("refusal"):
            self._on_refusal(run, response.refusal)
            return
        if response.at_us:
            self._see(response.at_us)
        run.acknowledge(response.seq, response.at_us)
        if run.is_over:
            del self._runs[run.token]
        elif len(self._runs) > self.settings.resident_max and run.is_parked:
            self._evict()
        if self.is_draining:
            self._is_idle.open()

    def _on_attempt_response(self, response: pb.CompleteStepResponse) -> None:
        attempt = self._attempts.pop(response.token, None)
        if attempt is None:
            return
        self._is_idle.open()
        if response.HasField("refusal"):
            refusal = response.refusal
            error = error_from_refusal(refusal.code, refusal.type, refusal.message)
            if not isinstance(error, _FORGET):
                self.finish(response.token, c.FailActivity(to_failure(error)))

    def _on_refusal(self, run: Run, refusal: pb.Refusal) -> None:
        error = error_from_refusal(refusal.code, refusal.type, refusal.message)
        if isinstance(error, _FORGET):
            self._forget(run)
        elif error.is_retryable or not run.refuse(error):
            # Somebody may have more luck with it, this worker too.
            self._release(run)

    def _on_task(self, task: pb.Task) -> None:
        kind = task.WhichOneof("task")
        if kind == "workflow":
            self._on_workflow(task.token, task.workflow)
        elif kind == "activity":
            self._on_activity(task.token, task.activity)
        elif kind == "cancel_activity":
            if (attempt := self._attempts.get(task.token)) is not None:
                attempt.cancel()
        elif kind == "revoked":
            if (run := self._runs.get(task.token)) is not None:
                self._forget(run)
            if (attempt := self._attempts.pop(task.token, None)) is not None:
                attempt.revoke()

    def _on_workflow(self, token: int, task: pb.WorkflowTask) -> None:
        try:
            events = [event_from_proto(event) for event in task.events]
        except InvalidArgument as error:
            self._refuse_run(token, Failure("InvalidArgument", str(error)))
            return
        if events:
            self._see(events[-1].at)
        run = self._runs.get(token) or self._begin(token, task.workflow_type, events)
        if run is not None:
            self._runs.move_to_end(token)
            run.receive(events, is_partial=task.more)
            if not run.has_started and not task.more:
                run.has_started = True
                self._group.start_soon(self._execute, run, name=f"run {run.workflow_id}")

    async def _execute(self, run: Run) -> None:
        await run.main(Context(run, self.converter))
        if len(self._runs) == 1 and not self._attempts:
            # Nobody else can have anything to say in this pass.
            self._stream.flush()

    def _begin(self, token: int, workflow_type: str, events: list[e.Event]) -> Run | None:
        workflow = self.settings.workflows.get(workflow_type)
        created = events[0] if events else None
        if created is None or not isinstance(created.fact, e.RunCreated):
            # Of a run that this worker has just released; its next task is a whole history.
            return None
        if workflow is None:
            self._refuse_run(token, Failure("InvalidArgument", f"this worker has no workflow {workflow_type!r}"))
            return None
        run = self._runs[token] = Run(self, token, created.fact, created.at, workflow)
        return run

    def _on_activity(self, token: int, task: pb.ActivityTask) -> None:
        activity = self.settings.activities.get(task.activity_type)
        if activity is None:
            failure = Failure("InvalidArgument", f"this worker has no activity {task.activity_type!r}")
            self.finish(token, c.FailActivity(failure))
            return
        attempt = Attempt(self, token, activity, task)
        self._attempts[token] = attempt
        self._group.start_soon(attempt.main, name=f"activity {task.activity_type} of {task.workflow_id}")

    # What runs and attempts ask for.

    def now(self) -> int:
        return int((self._clock_offset or 0.0) + self._clock() * 1e6)

    def _see(self, at: int) -> None:
        """The server's clock, as late as it was seen of late: times in a history are all of one clock."""
        offset = at - self._arrived_at
        if self._clock_offset is None or offset > self._clock_offset:
            self._clock_offset = offset

    def mark(self, run: Run) -> None:
        if not self._dirty:
            self._stream.ask()
        self._dirty[run] = None

    def fidget(self, run: Run) -> None:
        self._fidgety[run] = run.moves
        self._has_fidgety.open()

    def spawn(self, function: Callable[[], Coroutine[None, None, None]]) -> None:
        self._group.start_soon(function)

    def reuse(self, run_id: str, path: str) -> c.RecordStep | None:
        return self._outcomes.reuse(run_id, path)

    def keep(self, run_id: str, command: c.RecordStep) -> None:
        self._outcomes.keep(run_id, command)

    def beat(self, token: int, details: Payload) -> None:
        self._beats[token] = details
        self._stream.ask()

    def watch(self, attempt: Attempt) -> None:
        self._group.start_soon(self._watch, attempt)

    async def _watch(self, attempt: Attempt) -> None:
        while (details := attempt.take_beat()) is not None:
            self.beat(attempt.token, details)
            await anyio.sleep(attempt.beat_interval_s)

    def finish(self, token: int, command: c.ActivityCommand) -> None:
        self._finished.append((token, command))
        self._stream.ask()

    # Letting go.

    def _refuse_run(self, token: int, failure: Failure) -> None:
        request = pb.CompleteStepRequest(token=token)
        _add_command(request, c.BlockRun(failure))
        self._send(pb.WorkerMessage(completions=[request]))

    def _forget(self, run: Run) -> None:
        run.drop()
        self._runs.pop(run.token, None)
        self._is_idle.open()

    def _release(self, run: Run) -> None:
        self._releases.append((run.token, run.known_seq))
        self._stream.ask()
        self._forget(run)

    def _evict(self) -> None:
        """Too many runs are in memory: give back the one that was not used for longest of those that only wait."""
        self._release(next(run for run in self._runs.values() if run.is_parked))


def _awaited(run: Run) -> Iterator[AwaitedSignal]:
    """For people who ask what the run waits for."""
    waiters = (waiter for waiter in run.replay.waiters.values() if waiter.kind == "signal")
    for waiter in islice(waiters, DEFAULT_LIMITS.awaits_max):
        yield AwaitedSignal(path=waiter.path, name=waiter.name)


def _parse(data: bytes) -> pb.ServerMessage:
    try:
        return pb.ServerMessage.FromString(data)
    except DecodeError:
        raise RpcError(Code.INTERNAL, "the server sent what is not a ServerMessage") from None


def _add_command(request: pb.CompleteStepRequest, command: c.Command) -> int:
    """About how many bytes it is."""
    message = request.commands.add()
    fill_command(message, command)
    if type(command) is c.RecordStep and command.result is not None:
        # To ask protobuf would be to have it serialised.
        return len(command.result.data) + _STEP_BYTES
    return message.ByteSize()
