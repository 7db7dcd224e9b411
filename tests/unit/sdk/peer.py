"""The other end of a worker session: says exactly what a test wants, and remembers what it was told."""

from collections.abc import Callable
from contextlib import asynccontextmanager

import anyio

import aether
from aether.model import events as e
from aether.model.payload import Payload
from aether.sdk.converters import Converter
from aether.sdk.session import Outcomes, Session, WorkerSettings
from aether.wire.convert import event_to_proto
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.status import RpcError


class Peer:
    """The other end of the stream. To the session it is the stream; to the test, the server."""

    def __init__(self):
        self.messages = []
        self.is_half_closed = False
        self.is_congested = False
        self.is_cancelled = False
        self._incoming = []
        self._take: Callable[[bytes], None] | None = None
        self._give: Callable[[], None] | None = None
        self._is_asked = False
        self._end = None
        self._arrived = anyio.Event()
        self._sent = anyio.Event()
        self._seen = 0

    # The session's side.

    def send(self, data):
        self.messages.append(pb.WorkerMessage.FromString(data))
        self._sent.set()

    async def receive(self):
        while True:
            batch, self._incoming = self._incoming, []
            if batch and self._take is None:
                return batch
            if self._take is not None:
                for message in batch:
                    self._take(message)
            if self._is_asked and self._give is not None:
                self._is_asked = False
                self._give()
            if not self._incoming and self._end is not None:
                if isinstance(self._end, RpcError):
                    raise self._end
                return []
            await self._arrived.wait()
            self._arrived = anyio.Event()

    def hand_over(self, take, give):
        self._take, self._give = take, give

    def ask(self):
        self._is_asked = True
        self._arrived.set()

    def flush(self):
        if self._is_asked and self._give is not None:
            self._is_asked = False
            self._give()

    def half_close(self):
        self.is_half_closed = True
        self.end()

    def cancel(self):
        self.is_cancelled = True

    # The test's side.

    def say(self, *deliveries, **fields):
        message = pb.ServerMessage(deliveries=deliveries, **fields)
        self._incoming.append(message.SerializeToString())
        self._arrived.set()

    def end(self, error=""):
        self._end = error
        self._arrived.set()

    async def completion(self):
        """The next request, in the order sent."""
        with anyio.fail_after(10):
            while True:
                completions = [item for message in self.messages for item in message.completions]
                if len(completions) > self._seen:
                    self._seen += 1
                    return completions[self._seen - 1]
                self._sent = anyio.Event()
                await self._sent.wait()

    @property
    def is_silent(self):
        return sum(len(message.completions) for message in self.messages) == self._seen

    def workflow(self, *facts, token=1, first=1, kind="w", more=False):
        events = [event_to_proto(e.Event(seq, seq * 1_000_000, fact)) for seq, fact in enumerate(facts, first)]
        task = pb.WorkflowTask(workflow_id="id", run_id="run", workflow_type=kind, events=events, more=more)
        self.say(pb.Delivery(task=pb.Task(token=token, workflow=task)))

    def activity(self, kind="a", *, token=9, args=b"[]", **fields):
        task = pb.ActivityTask(
            workflow_id="id",
            run_id="run",
            path="1",
            activity_type=kind,
            attempt=2,
            input=model_pb2.Payload(data=args),
            scheduled_at_us=1_000_000,
            **fields,
        )
        self.say(pb.Delivery(task=pb.Task(token=token, activity=task)))

    def ack(self, seq, token=1):
        self.say(pb.Delivery(response=pb.CompleteStepResponse(token=token, seq=seq, at_us=seq * 1_000_000)))

    def refuse(self, error, code, token=1):
        refusal = pb.Refusal(code=code, type=error, message="because")
        self.say(pb.Delivery(response=pb.CompleteStepResponse(token=token, refusal=refusal)))

    def revoke(self, token=1):
        self.say(pb.Delivery(task=pb.Task(token=token, revoked=pb.RevokedTask(reason="late"))))


def begun(*facts):
    return (e.RunCreated("id", "run", "w", "default", Payload(b"[]")), e.RunStarted("worker", 1), *facts)


def settings_of(client, **changes):
    definitions = client._definitions
    fields = {"workflow_slots": 0, "activity_slots": 0, "resident_max": 10}
    return WorkerSettings("worker", "default", definitions.workflows, definitions.activities, **fields | changes)


@asynccontextmanager
async def serving(client, *, timeout_ms=60_000, outcomes=None, lineage=0, **changes):
    peer = Peer()
    session = Session(settings_of(client, **changes), Converter(), outcomes or Outcomes(), peer)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        group.start_soon(session.run, lambda: None)
        peer.session = session  # type: ignore[attr-defined]
        registered = pb.RegisterResponse(
            session_id="s", worker_id="worker", session_timeout_ms=timeout_ms, lineage=lineage
        )
        peer.say(registered=registered)
        yield peer
        peer.end()


def client_of(function=None):
    client = aether.Client(db="memory")
    if function is not None:
        client.workflow("w")(function)
    return client


async def quiet():
    """Long enough for everything that is ready to have happened."""
    for _ in range(50):
        await anyio.lowlevel.checkpoint()
