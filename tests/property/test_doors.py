"""Whatever comes in at a door: the answer is one of those that are documented, and the engine stays as it must be."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aether.core.effects import Decision, Reply
from aether.core.engine import Engine
from aether.core.inputs import Input
from aether.core.invariants import check
from aether.errors import InvalidArgument, WorkflowAlreadyExists
from aether.server import serve as serve_module
from aether.server.settings import Persistence
from aether.wire.errors import error_from_status
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, worker_pb2
from aether.wire.status import Code, RpcError
from tests.integration.peers import Peer, Worker, served
from tests.property.messages_at_random import message

SERVICES = [
    service for module in (client_pb2, worker_pb2, admin_pb2) for service in module.DESCRIPTOR.services_by_name.values()
]
METHODS = {
    f"{service.full_name}/{method.name}": method
    for service in SERVICES
    for method in service.methods
    if method.name != "WorkSession"
}
# Of docs/errors.md and docs/worker-protocol.md; what a defect of the server would give is not among them.
DOCUMENTED = {
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.FAILED_PRECONDITION,
    Code.ABORTED,
    Code.UNAUTHENTICATED,
    Code.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
}
# Answers that may not come for as long as nothing happens.
PATIENCE_S = 0.02
CALLS = 40


class Checked(Engine):
    """Asserts after each input all that must hold after any input."""

    def apply(self, item: Input, now: int) -> Decision:
        decision = super().apply(item, now)
        check(self.state)
        refused = [effect for effect in decision.effects if isinstance(effect, Reply)]
        if any(isinstance(effect.answer, InvalidArgument) for effect in refused):
            assert not decision.records, f"{item} was refused and has changed something"
        return decision


@pytest.fixture(autouse=True, scope="module")
def checked() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(serve_module, "Engine", Checked)
    yield
    patch.undo()


async def knock(peer: Peer, path: str, request: bytes) -> None:
    """One call, with an answer that is documented, or none while it waits."""
    refusal: RpcError | None = None
    with trio.move_on_after(PATIENCE_S):
        stream = await peer.transport.open_stream(f"/{path}")
        try:
            stream.send(request)
            stream.half_close()
            while await stream.receive():
                pass
        except RpcError as error:
            refusal = error
        finally:
            stream.cancel()
    if refusal is not None:
        assert refusal.code in DOCUMENTED, f"{path}: {refusal.code!r} {refusal.message}"
        assert refusal.message
        assert "Traceback" not in refusal.message
        told = error_from_status(refusal.code, refusal.message, refusal.details)
        if isinstance(told, InvalidArgument) and not is_garbage(path, request):
            assert told.field, f"{path}: no field is named in {told}"


def is_garbage(path: str, request: bytes) -> bool:
    try:
        GetMessageClass(METHODS[path].input_type).FromString(request)
    except DecodeError:
        return True
    return False


async def is_alive(peer: Peer) -> None:
    """It serves as before."""
    await peer.start("still-here", workflow_type="nobody has it")
    assert (await peer.status("still-here")).info.workflow_id == "still-here"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_every_call_with_any_fields_has_a_documented_answer(seed: int) -> None:
    rng = Random(seed)

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with served(Path(folder) / "a.db", persistence=Persistence.MEMORY) as peer:
                for _ in range(CALLS):
                    path = rng.choice(sorted(METHODS))
                    any_bytes = rng.randbytes(rng.randrange(50))
                    sent = message(rng, METHODS[path].input_type).SerializeToString()
                    await knock(peer, path, any_bytes if rng.random() < 0.1 else sent)
                await is_alive(peer)

    trio.run(main)


async def answers(worker: Worker, until: Any) -> None:
    """Takes what the server sends while the block lasts, and looks at what it refuses."""
    while True:
        delivery = await worker.next()
        if delivery.HasField("response") and delivery.response.HasField("refusal"):
            refusal = delivery.response.refusal
            assert Code(refusal.code) in DOCUMENTED, refusal
        elif delivery.HasField("task") and delivery.task.WhichOneof("task") in ("workflow", "activity"):
            until.append(delivery.task.token)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_worker_may_say_anything_about_the_tasks_that_it_has(seed: int) -> None:
    rng = Random(seed)

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with served(Path(folder) / "a.db", persistence=Persistence.MEMORY) as peer:
                worker = await peer.worker("t", activity_types=["a"])
                tokens: list[int] = [0]
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answers, worker, tokens)
                    for call in range(CALLS):
                        if call % 4 == 0:
                            # Many a request ends its run.
                            for number in range(3):
                                # By now it may be the id of a child.
                                with suppress(WorkflowAlreadyExists):
                                    await peer.start(f"w{number}")
                        request = message(rng, METHODS["aether.v1.WorkerService/CompleteStep"].input_type)
                        assert isinstance(request, worker_pb2.CompleteStepRequest)
                        # The last ones are mostly those that are good for something.
                        request.token = rng.choice(tokens[-6:])
                        request.number = 0
                        worker.stream.send(worker_pb2.WorkerMessage(completions=[request]).SerializeToString())
                        # Until it is answered, and everything that follows from it has been sent.
                        await peer.status("w0")
                    await is_alive(peer)
                    nursery.cancel_scope.cancel()

    trio.run(main)
