"""`WorkerService`: sessions of workers, over one stream (`WorkSession`) or one call a message."""

from collections.abc import Callable
from functools import partial

from google.protobuf.message import DecodeError

from aether.core.effects import HeartbeatSeen, Reply
from aether.core.inputs import CloseSession, Complete, DrainSession, Heartbeat, OpenSession
from aether.core.validate import check_labels, check_name, check_payload
from aether.errors import AetherError, InvalidArgument, LimitExceeded, ServerUnavailable, SessionExpired
from aether.model.limits import Limits
from aether.server.engine_loop import EngineLoop
from aether.server.entropy import new_id
from aether.server.sinks import Outbox, PollStream, SessionSink, SessionStream, answer_call
from aether.server.telemetry import Log
from aether.wire.calls import Call, Method
from aether.wire.convert import command_from_proto
from aether.wire.errors import status_of
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.values import awaits_from_proto, payload_from_proto, tags_from_proto

log = Log("aether.server")

_SERVICE = "/aether.v1.WorkerService/"


class WorkerService:
    def __init__(self, loop: EngineLoop, limits: Limits, outbox: Outbox, lineage: int = 0) -> None:
        self._loop = loop
        self._lineage = lineage
        self._limits = limits
        self._outbox = outbox
        self._last_session = 0
        # Secrets by which workers of the unary calls name their sessions.
        self._by_secret: dict[str, PollStream] = {}
        self._secrets: dict[int, str] = {}
        self._draining = False

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "Register", self.register, "unary"),
            Method(_SERVICE + "PollTasks", self.poll_tasks, "unary"),
            Method(_SERVICE + "CompleteStep", self.complete_step, "unary"),
            Method(_SERVICE + "Heartbeat", self.heartbeat, "unary"),
            Method(_SERVICE + "WorkSession", self.work_session, "stream"),
        ]

    @property
    def is_idle(self) -> bool:
        """No worker has anything in hand, and all have their answers."""
        return not self._loop.engine.state.leases and self._loop.is_quiet

    def drain(self) -> None:
        """Tell all workers that the server is about to stop; nobody may register any more."""
        self._draining = True
        for sink in list(self._loop.sinks.values()):
            self._loop.post(DrainSession(sink.session_id))
            sink.drain()

    # One call a message.

    def register(self, call: Call, message: bytes) -> None:
        sink = PollStream(self._next_session(), self._outbox)
        try:
            response = self._open(sink, pb.RegisterRequest.FromString(message))
        except (AetherError, DecodeError) as fault:
            call.finish(status_of(_translated(fault)))
            return
        self._secrets[sink.session_id] = response.session_id
        self._by_secret[response.session_id] = sink
        call.respond(response.SerializeToString())

    def poll_tasks(self, call: Call, message: bytes) -> None:
        try:
            sink = self._session(pb.PollRequest.FromString(message).session_id)
        except (AetherError, DecodeError) as fault:
            call.finish(status_of(_translated(fault)))
            return
        if sink.call is not None:
            # The worker may have lost the first one, and what it was sent, without our being told.
            reason = "a second PollTasks stream of the session came"
            self._close(sink, reason)
            for each in (sink.call, call):
                each.finish(status_of(SessionExpired(f"{reason}; register again")))
            return
        sink.call = call
        call.on_closed = lambda reason: self._poll_ended(sink, call, reason)
        call.is_timed = False
        self._loop.post(Heartbeat(_ignore, sink.session_id))
        sink.flush()

    def _poll_ended(self, sink: PollStream, call: Call, reason: str) -> None:
        if sink.call is call:
            self._close(sink, f"its PollTasks stream ended ({reason})")

    def complete_step(self, call: Call, message: bytes) -> None:
        try:
            self._check_room()
            item = _complete(pb.CompleteStepRequest.FromString(message), partial(answer_call, call))
        except (AetherError, DecodeError) as fault:
            call.finish(status_of(_translated(fault)))
            return
        self._loop.post(item)

    def heartbeat(self, call: Call, message: bytes) -> None:
        try:
            self._check_room()
            request = pb.HeartbeatRequest.FromString(message)
            sink = self._session(request.session_id)
            item = self._heartbeat(sink, request, partial(_answer_heartbeat, call))
        except (AetherError, DecodeError) as fault:
            call.finish(status_of(_translated(fault)))
            return
        if sink.call is None:
            # Who does not poll does nothing of what it is given, so this is no sign of life.
            _answer_heartbeat(call, HeartbeatSeen(cancel_requested=False))
            return
        self._loop.post(item)

    # One stream.

    def work_session(self, call: Call) -> None:
        call.on_message = partial(self._first_message, call)

    def _first_message(self, call: Call, message: bytes) -> None:
        sink = SessionStream(self._next_session(), self._outbox, call)
        try:
            request = pb.WorkerMessage.FromString(message)
            if not request.HasField("register"):
                raise InvalidArgument("the first message of a WorkSession must register", field="register")
            response = self._open(sink, request.register)
        except (AetherError, DecodeError) as fault:
            call.on_message = _ignore
            call.finish(status_of(_translated(fault)))
            return
        call.on_message = partial(self._message, sink)
        call.on_half_close = partial(self._stream_ended, sink, "it closed its stream")
        call.on_closed = lambda reason: self._close(sink, f"its stream ended ({reason})")
        call.send(pb.ServerMessage(registered=response).SerializeToString())
        self._take(sink, request)

    def _message(self, sink: SessionStream, message: bytes) -> None:
        try:
            request = pb.WorkerMessage.FromString(message)
            if request.HasField("register"):
                raise InvalidArgument("a WorkSession registers once", field="register")
            self._check_room()
        except (AetherError, DecodeError) as fault:
            assert sink.call is not None
            sink.call.finish(status_of(_translated(fault)))
            self._close(sink, f"what it sent was not taken: {_translated(fault)}")
            return
        self._take(sink, request)

    def _take(self, sink: SessionStream, request: pb.WorkerMessage) -> None:
        post = self._loop.post
        for completion in request.completions:
            reply = partial(sink.answer, completion.token)
            try:
                post(_complete(completion, reply))
            except AetherError as fault:
                # In line behind the answers to what came before it.
                post(Reply(reply, fault))
        for beat in request.heartbeats:
            try:
                post(self._heartbeat(sink, beat, _ignore))
            except AetherError:
                # A detail that is too large is not worth the session; the next one may be better.
                post(Heartbeat(_ignore, sink.session_id, beat.token))
        if request.drain:
            post(DrainSession(sink.session_id))

    def _stream_ended(self, sink: SessionStream, reason: str) -> None:
        self._close(sink, reason)
        assert sink.call is not None
        sink.call.finish()

    # Sessions.

    def _check_room(self) -> None:
        if self._loop.is_full:
            raise ServerUnavailable("too many requests wait; come back in a moment")

    def _next_session(self) -> int:
        self._last_session += 1
        return self._last_session

    def _open(self, sink: SessionSink, request: pb.RegisterRequest) -> pb.RegisterResponse:
        limits = self._limits
        if self._draining:
            raise ServerUnavailable("the server is stopping")
        self._check_room()
        if len(self._loop.sinks) >= limits.sessions_max:
            raise LimitExceeded(f"{limits.sessions_max} workers are connected, the most this server takes")
        check_name(limits, request.worker_id, "worker_id", required=False)
        check_name(limits, request.task_queue, "task_queue", required=False)
        if not request.workflow_types and not request.activity_types:
            raise InvalidArgument("a worker needs at least one workflow or activity type", field="workflow_types")
        for field, names in (
            ("workflow_types", request.workflow_types),
            ("activity_types", request.activity_types),
        ):
            if len(names) > limits.types_max:
                raise LimitExceeded(f"{field} has {len(names)} names; at most {limits.types_max}")
            for name in names:
                check_name(limits, name, field)
        for field, slots in (
            ("workflow_slots", request.workflow_slots),
            ("activity_slots", request.activity_slots),
        ):
            if slots > limits.slots_max:
                raise InvalidArgument(f"{field} is {slots}; at most {limits.slots_max}", field=field)
        check_labels(limits, request.labels, "labels", limits.labels_max)
        worker_id = request.worker_id or f"worker-{new_id()[:8]}"
        sink.worker_id = worker_id
        sink.on_end = partial(self._close, sink, "")
        log.info("worker_connected", worker_id=worker_id, task_queue=request.task_queue or "default")
        self._loop.sinks[sink.session_id] = sink
        self._loop.post(
            OpenSession(
                sink.session_id,
                worker_id,
                request.task_queue or "default",
                tuple(dict.fromkeys(request.workflow_types)),
                tuple(dict.fromkeys(request.activity_types)),
                request.workflow_slots or limits.workflow_slots_default,
                request.activity_slots or limits.activity_slots_default,
                tags_from_proto(request.labels),
            )
        )
        return pb.RegisterResponse(
            session_id=new_id(),
            worker_id=worker_id,
            session_timeout_ms=limits.session_timeout_ms,
            lineage=self._lineage,
            traces=self._loop.engine.state.meters.is_traced,
        )

    def _close(self, sink: SessionSink, reason: str) -> None:
        """The worker has ended it."""
        if self._loop.sinks.pop(sink.session_id, None) is not None:
            log.info("worker_left", worker_id=sink.worker_id, reason=reason)
            self._loop.post(CloseSession(sink.session_id, reason))
        self._by_secret.pop(self._secrets.pop(sink.session_id, ""), None)

    def _session(self, secret: str) -> PollStream:
        sink = self._by_secret.get(secret)
        if sink is None:
            raise SessionExpired("no session has that id any more; register again")
        return sink

    def _heartbeat(self, sink: SessionSink, request: pb.HeartbeatRequest, reply: Callable[[object], None]) -> Heartbeat:
        details = payload_from_proto(request.details) if request.HasField("details") else None
        if details is not None:
            check_payload(self._limits, details, "details")
            longest = self._limits.heartbeat_max
            if len(details.data) > longest:
                raise LimitExceeded(f"details has {len(details.data)} bytes; at most {longest}")
        return Heartbeat(reply, sink.session_id, request.token, details)


def _complete(request: pb.CompleteStepRequest, reply: Callable[[object], None]) -> Complete:
    return Complete(
        reply,
        request.token,
        tuple([command_from_proto(command) for command in request.commands]),
        request.blocked,
        request.known_seq,
        request.release,
        request.number,
        awaits_from_proto(request.awaits) if request.awaits else (),
    )


def _answer_heartbeat(call: Call, answer: object) -> None:
    if isinstance(answer, HeartbeatSeen):
        call.respond(pb.HeartbeatResponse(cancel_requested=answer.cancel_requested).SerializeToString())
    else:
        assert isinstance(answer, AetherError)
        call.finish(status_of(answer))


def _translated(fault: AetherError | DecodeError) -> AetherError:
    return fault if isinstance(fault, AetherError) else InvalidArgument("the request is not what the method takes")


def _ignore(_: object) -> None:
    """The answer to a heartbeat on a stream: a request to stop an attempt was pushed as a task already."""
