"""Peers that speak the public contract message by message, as a client or a worker in any language would."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from attrs import define, field
from google.protobuf.message import Message

from aether.sdk.transport import Transport, TransportStream
from aether.server.serve import serve
from aether.server.settings import Persistence, Settings
from aether.wire.errors import error_from_status
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from aether.wire.status import RpcError

M = TypeVar("M", bound=Message)


def payload(text: str = "null") -> mpb.Payload:
    return mpb.Payload(data=text.encode())


def step(path: str, result: str = "1", name: str = "step") -> wpb.Command:
    return wpb.Command(record_step=wpb.RecordStep(path=path, name=name, result=payload(result), attempt=1))


def timer(path: str, delay_ms: int) -> wpb.Command:
    return wpb.Command(start_timer=wpb.StartTimer(path=path, delay_ms=delay_ms))


def done(result: str = "1") -> wpb.Command:
    return wpb.Command(complete_run=wpb.CompleteRun(result=payload(result)))


@define
class Worker:
    """A `WorkSession`, driven by the test."""

    stream: TransportStream
    registered: wpb.RegisterResponse
    waiting: list[wpb.Delivery] = field(factory=list)

    async def next(self) -> wpb.Delivery:
        while not self.waiting:
            messages = await self.stream.receive()
            assert messages, "the session has ended"
            for message in messages:
                self.waiting.extend(wpb.ServerMessage.FromString(message).deliveries)
        return self.waiting.pop(0)

    async def task(self) -> wpb.Task:
        delivery = await self.next()
        assert delivery.HasField("task"), delivery
        return delivery.task

    async def complete(self, token: int, *commands: wpb.Command, **fields: Any) -> wpb.CompleteStepResponse:
        """The answer; tasks that come before it are kept for `task`."""
        self.send(token, *commands, **fields)
        before: list[wpb.Delivery] = []
        while not (delivery := await self.next()).HasField("response"):
            before.append(delivery)
        assert delivery.response.token == token
        self.waiting[:0] = before
        return delivery.response

    def send(self, token: int, *commands: wpb.Command, **fields: Any) -> None:
        request = wpb.CompleteStepRequest(token=token, commands=commands, **fields)
        self.stream.send(wpb.WorkerMessage(completions=[request]).SerializeToString())


@define
class Peer:
    transport: Transport
    address: str

    async def call(self, method: str, request: Message, answer: type[M]) -> M:
        """A unary call; its error as one of `aether.errors`."""
        try:
            return answer.FromString(await self.transport.unary(f"/aether.v1.{method}", request.SerializeToString()))
        except RpcError as error:
            raise error_from_status(error.code, error.message, error.details) from error

    async def stream(self, method: str, request: Message, answer: type[M]) -> list[M]:
        """A server stream, whole."""
        stream = await self.transport.open_stream(f"/aether.v1.{method}")
        stream.send(request.SerializeToString())
        stream.half_close()
        messages = []
        try:
            while batch := await stream.receive():
                messages += [answer.FromString(message) for message in batch]
        except RpcError as error:
            raise error_from_status(error.code, error.message, error.details) from error
        return messages

    async def start(self, workflow_id: str, text: str = "null", **fields: Any) -> cpb.StartWorkflowResponse:
        request = cpb.StartWorkflowRequest(
            workflow_type=fields.pop("workflow_type", "t"),
            workflow_id=workflow_id,
            input=payload(text),
            **fields,
        )
        return await self.call("ClientService/StartWorkflow", request, cpb.StartWorkflowResponse)

    async def status(self, workflow_id: str, run_id: str = "") -> cpb.WorkflowStatus:
        request = cpb.GetStatusRequest(workflow_id=workflow_id, run_id=run_id)
        return await self.call("ClientService/GetWorkflowStatus", request, cpb.WorkflowStatus)

    async def result(self, workflow_id: str) -> cpb.WorkflowResult:
        request = cpb.AwaitResultRequest(workflow_id=workflow_id)
        return await self.call("ClientService/AwaitResult", request, cpb.WorkflowResult)

    async def cancel(self, workflow_id: str) -> cpb.CancelResponse:
        return await self.call(
            "ClientService/CancelWorkflow", cpb.CancelRequest(workflow_id=workflow_id), cpb.CancelResponse
        )

    async def history(self, workflow_id: str) -> list[mpb.Event]:
        return await self.stream("AdminService/GetHistory", apb.GetHistoryRequest(workflow_id=workflow_id), mpb.Event)

    async def facts(self, workflow_id: str) -> list[str]:
        return [str(event.WhichOneof("fact")) for event in await self.history(workflow_id)]

    async def worker(self, *types: str, **fields: Any) -> Worker:
        register = wpb.RegisterRequest(workflow_types=types or ("t",), **fields)
        stream = await self.transport.open_stream("/aether.v1.WorkerService/WorkSession")
        stream.send(wpb.WorkerMessage(register=register).SerializeToString())
        first = wpb.ServerMessage()
        for message in await stream.receive():
            first.MergeFromString(message)
        return Worker(stream, first.registered, list(first.deliveries))


@asynccontextmanager
async def peer_of(address: str) -> AsyncIterator[Peer]:
    async with Transport(f"http://{address}") as transport:
        yield Peer(transport, address)


@asynccontextmanager
async def served(db_path: Path, **settings: Any) -> AsyncIterator[Peer]:
    """A server in this process, and a peer of it; leaving the block stops it as SIGKILL would not: it flushes."""
    async with trio.open_nursery() as nursery:
        made = Settings(grpc_port=0, db_path=db_path, **{"metrics_enabled": False, "web_enabled": False, **settings})
        address = await nursery.start(serve, made)
        async with peer_of(address) as peer:
            yield peer
        nursery.cancel_scope.cancel()


_SERVER = """
import sys, trio
from aether.server.serve import serve
from aether.server.settings import Settings, Persistence
from aether.server.telemetry import configure_logging
configure_logging("json", "info")
settings = Settings(
    grpc_port=int(sys.argv[2]),
    db_path=sys.argv[1],
    persistence=Persistence(sys.argv[3]),
    session_timeout_s=float(sys.argv[4]),
    snapshot_interval_s=float(sys.argv[5]),
    metrics_enabled=False,
    web_enabled=False,
)
trio.run(lambda: serve(settings, ready=lambda address: print(address, flush=True)))
"""


@define
class ServerProcess:
    """A server of its own, to be killed."""

    process: subprocess.Popen[str]
    address: str

    @classmethod
    def start(
        cls,
        db_path: Path,
        mode: Persistence = Persistence.STATE_ACTION_LOG,
        port: int = 0,
        *,
        session_timeout_s: float = 15.0,
        snapshot_interval_s: float = 1.0,
    ) -> "ServerProcess":
        given = (db_path, port, mode.value, session_timeout_s, snapshot_interval_s)
        command = [sys.executable, "-c", _SERVER, *map(str, given)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, f"the server did not start, exit code {process.wait(10)}"
        return cls(process, address)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code
