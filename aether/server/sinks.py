"""What a worker is sent: one sink a session, over `WorkSession` or `PollTasks`.

Within a pass a sink only gathers; `flush` then sends all of it. Events that are not in memory any more are fetched from
the store, and meanwhile whatever else concerns the same lease waits behind them, so a worker sees a run's events in
order.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from attrs import define, field

from aether.core.effects import CancelAttempt, Recorded, Revoke, SendActivity, SendEvents
from aether.errors import AetherError
from aether.model.payload import Failure
from aether.wire.calls import Call
from aether.wire.errors import code_of, status_of
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.pack import DELIVERY_RESPONSE, DELIVERY_TASK, pack_delivery, pack_workflow_task
from aether.wire.status import OK, Code, Status
from aether.wire.values import payload_to_proto, timeouts_to_proto

# Bounds of one task of a long history; the message limit of the transport is above it.
CHUNK_BYTES = 512 * 1024
CHUNK_EVENTS = 2_000
# Of what waits until a worker has read what it was sent; one that is owed more is given up by the transport.
WAITING_BYTES = 256 * 1024 * 1024

_MORE = pb.WorkflowTask(more=True).SerializeToString()


def _nothing() -> None:
    """Stands in for `on_end`."""


@define(eq=False)
class Outbox:
    """What sinks share: who has something to send, and where events come from that are not in memory.

    `fetch(run_key, first_seq, last_seq, then, give_up)` reads events from the store and calls `then` with them, or
    `give_up` with the reason if they can not be read; `block(token, reason, told)` tells the engine that a run can
    not go on, and calls `told` when that is settled.
    """

    fetch: Callable[[int, int, int, Callable[[list[bytes]], None], Callable[[Failure], None]], None]
    block: Callable[[int, Failure, Callable[[object], None]], None]
    dirty: "dict[SessionSink, None]" = field(factory=dict)

    def flush(self) -> None:
        """End of a pass: send everything."""
        while self.dirty:
            self.dirty.popitem()[0].flush()


class SessionSink(ABC):
    """`call` may be missing: a worker that has registered and does not poll yet."""

    def __init__(self, session_id: int, outbox: Outbox, call: Call | None) -> None:
        self.session_id = session_id
        # For the log.
        self.worker_id = ""
        self.call = call
        self.on_end: Callable[[], None] = _nothing
        self._outbox = outbox
        # What waits behind events that are being fetched, by lease.
        self._fetching: dict[int, list[Callable[[], None]]] = {}
        # What is ready to be sent when the worker polls, and has read some of what went before.
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    def send_events(self, effect: SendEvents, events: list[bytes] | None) -> None:
        """`events` are those that the effect names, or None if they have to be fetched."""
        waiting = self._fetching.get(effect.token)
        if waiting is not None:
            waiting.append(partial(self.send_events, effect, events))
        elif events is None:
            self._fetching[effect.token] = []
            self._outbox.fetch(
                effect.run_key,
                effect.first_seq,
                effect.last_seq,
                partial(self._fetched, effect),
                partial(self._unreadable, effect.token),
            )
        else:
            self._task_of_events(effect, events)

    def send_activity(self, effect: SendActivity) -> None:
        task = pb.ActivityTask(
            workflow_id=effect.workflow_id,
            run_id=effect.run_id,
            path=effect.path,
            activity_type=effect.activity_type,
            input=payload_to_proto(effect.input),
            attempt=effect.attempt,
            last_heartbeat=payload_to_proto(effect.last_heartbeat) if effect.last_heartbeat else None,
            timeouts=timeouts_to_proto(effect.timeouts),
            scheduled_at_us=effect.scheduled_at,
            traceparent=effect.traceparent,
        )
        self.send_task(pb.Task(token=effect.token, activity=task).SerializeToString())

    def cancel_attempt(self, effect: CancelAttempt) -> None:
        task = pb.Task(token=effect.token, cancel_activity=pb.CancelActivityTask(reason=effect.reason))
        self.send_task(task.SerializeToString())

    def revoke(self, effect: Revoke) -> None:
        self._fetching.pop(effect.token, None)
        task = pb.Task(token=effect.token, revoked=pb.RevokedTask(reason=effect.reason))
        self.send_task(task.SerializeToString())

    def drain(self) -> None:
        """The server is about to stop."""
        self.send_task(pb.Task(drain=pb.DrainTask()).SerializeToString())
        self.flush()

    def end(self, reason: str) -> None:
        """The session is over; the worker has to register again."""
        self.flush()
        if self.call is not None:
            self.call.finish(Status(Code.UNAVAILABLE, f"session ended: {reason}") if reason else OK)
        self.on_end()

    @abstractmethod
    def send_task(self, task: bytes) -> None:
        """Gather one serialised `Task`."""

    @abstractmethod
    def flush(self) -> None:
        """Send what was gathered."""

    def _owe(self, message: bytes) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message)

    def _write(self) -> None:
        # A worker with many slots may be owed more than its connection takes at a time.
        call, waiting = self.call, self._waiting
        while waiting and call is not None and (not call.is_congested or self._waiting_bytes > WAITING_BYTES):
            message = waiting.popleft()
            self._waiting_bytes -= len(message)
            call.send(message)

    def _fetched(self, effect: SendEvents, events: list[bytes]) -> None:
        waiting = self._fetching.pop(effect.token, None)
        if waiting is None:
            return  # revoked meanwhile
        self._task_of_events(effect, events)
        for send in waiting:
            send()
        self.flush()

    def _unreadable(self, token: int, failure: Failure) -> None:
        # What comes for this lease until the engine has taken it back would follow events that were never sent.
        self._outbox.block(token, failure, lambda answer: self.revoke(Revoke(self.session_id, token, failure.message)))

    def _task_of_events(self, effect: SendEvents, events: list[bytes]) -> None:
        chunks = list(_chunks(events))
        for number, chunk in enumerate(chunks, start=1):
            head = b"" if number == len(chunks) else _MORE
            if effect.task is not None and number == 1:
                task = effect.task
                head += pb.WorkflowTask(
                    workflow_id=task.workflow_id, run_id=task.run_id, workflow_type=task.workflow_type
                ).SerializeToString()
            self.send_task(pack_workflow_task(effect.token, head, chunk))


class SessionStream(SessionSink):
    """Over `WorkSession`: tasks and answers, in one order, as few messages as the sizes allow."""

    def __init__(self, session_id: int, outbox: Outbox, call: Call) -> None:
        super().__init__(session_id, outbox, call)
        self._parts: list[bytes] = []
        self._size = 0
        call.on_writable = self._write

    def send_task(self, task: bytes) -> None:
        self._gather(pack_delivery(DELIVERY_TASK, task))

    def answer(self, token: int, answer: object) -> None:
        """The answer to a `CompleteStepRequest` of the stream."""
        waiting = self._fetching.get(token)
        if waiting is not None:
            # The events come first: an answer tells the worker that it knows everything up to its seq.
            waiting.append(partial(self.answer, token, answer))
            return
        if isinstance(answer, Recorded):
            response = pb.CompleteStepResponse(token=token, seq=answer.seq, at_us=answer.at)
        else:
            assert isinstance(answer, AetherError)
            refusal = pb.Refusal(code=int(code_of(answer)), type=type(answer).__name__, message=str(answer))
            response = pb.CompleteStepResponse(token=token, refusal=refusal)
        self._gather(pack_delivery(DELIVERY_RESPONSE, response.SerializeToString()))

    def flush(self) -> None:
        if self._parts:
            self._owe(b"".join(self._parts))
            self._parts = []
            self._size = 0
        self._write()

    def _gather(self, part: bytes) -> None:
        if self._size + len(part) > CHUNK_BYTES:
            self.flush()
        if not self._parts:
            self._outbox.dirty[self] = None
        self._parts.append(part)
        self._size += len(part)


class PollStream(SessionSink):
    """Over `PollTasks`: a message a task. Tasks from before the first poll wait for it."""

    def __init__(self, session_id: int, outbox: Outbox) -> None:
        super().__init__(session_id, outbox, None)

    def send_task(self, task: bytes) -> None:
        self._owe(task)
        self._outbox.dirty[self] = None

    def flush(self) -> None:
        if self.call is not None:
            self.call.on_writable = self._write
            self._write()


def answer_call(call: Call, answer: object) -> None:
    """The answer to a unary `CompleteStep`."""
    if isinstance(answer, Recorded):
        call.respond(pb.CompleteStepResponse(token=answer.token, seq=answer.seq, at_us=answer.at).SerializeToString())
    else:
        assert isinstance(answer, AetherError)
        call.finish(status_of(answer))


def _chunks(events: list[bytes]) -> Iterator[list[bytes]]:
    start = size = 0
    for number, event in enumerate(events):
        size += len(event)
        if number > start and (size > CHUNK_BYTES or number - start >= CHUNK_EVENTS):
            yield events[start:number]
            start, size = number, len(event)
    yield events[start:]
