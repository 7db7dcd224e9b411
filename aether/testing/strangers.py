"""A client whose bits flip on their way, on a connection that nothing protects.

Elsewhere TCP's checksums and TLS find that out. Here whatever arrives is read: the server has to answer, refuse or hang
up, and nobody else may notice. The stranger asks what changes nothing, so that a request that became another one by a
flipped bit does no harm; what it is told is its own affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import trio
from anyio.abc import ByteStream

from aether.sdk.transport import RpcError, Transport
from aether.testing.seeded import Dice
from aether.testing.wires import ClientEnd
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb

if TYPE_CHECKING:
    from aether.testing.world import World

_CLIENT: Final = "/aether.v1.ClientService/"
_ADMIN: Final = "/aether.v1.AdminService/"
_QUESTIONS_MAX: Final = 4
# Longer than a connection may be silent.
_PATIENCE_S: Final = 120.0


class Garbler(ByteStream):
    """Flips a bit now and then, in either direction."""

    def __init__(self, end: ClientEnd, draws: Dice) -> None:
        self._end = end
        self._draws = draws

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        return self._garbled(await self._end.receive(max_bytes))

    async def send(self, item: bytes) -> None:
        await self._end.send(self._garbled(item))

    async def send_eof(self) -> None:
        await self._end.send_eof()

    async def aclose(self) -> None:
        await self._end.aclose()

    def _garbled(self, data: bytes) -> bytes:
        if self._draws.random() < 0.5:
            return data
        changed = bytearray(data)
        for _ in range(self._draws.choice([1, 1, 3])):
            changed[self._draws.randrange(len(changed))] ^= 1 << self._draws.randrange(8)
        return bytes(changed)


async def visit(world: World) -> None:
    """Ask some things."""
    draws = world.plan.dice
    workflow_id = f"run-{draws.randrange(world.plan.runs)}"
    questions: list[tuple[str, bytes]] = [
        (_CLIENT + "GetWorkflowStatus", cpb.GetStatusRequest(workflow_id=workflow_id).SerializeToString()),
        (_CLIENT + "AwaitResult", cpb.AwaitResultRequest(workflow_id=workflow_id).SerializeToString()),
        (_CLIENT + "ReadValue", cpb.ReadValueRequest(workflow_id=workflow_id, key="v1").SerializeToString()),
        (_ADMIN + "GetHistory", apb.GetHistoryRequest(workflow_id=workflow_id).SerializeToString()),
        (_ADMIN + "ListWorkflows", apb.ListRequest(limit=3).SerializeToString()),
        (_ADMIN + "GetMetrics", apb.GetMetricsRequest().SerializeToString()),
    ]

    async def connect() -> Garbler:
        return Garbler(await world.node.connect(), draws)

    with trio.move_on_after(_PATIENCE_S):
        async with Transport(connect) as transport, anyio.create_task_group() as group:
            for path, request in draws.sample(questions, draws.randint(1, _QUESTIONS_MAX)):
                group.start_soon(_ask, transport, path, request)


async def _ask(transport: Transport, path: str, request: bytes) -> None:
    try:
        await transport.unary(path, request, timeout_s=20)
    except RpcError:
        return
