"""Clients that break the contract of a start: it harms them and nobody else, and the server serves on."""

from pathlib import Path

import grpc
import pytest

from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.generated.aether.v1 import model_pb2
from tests.processes import Server

SERVICE = "/aether.v1.ClientService/"


class PlainClient:
    """grpcio and the messages of the contract, nothing else."""

    def __init__(self, server: Server) -> None:
        self.channel = grpc.insecure_channel(server.url.rpartition("://")[2].split()[0])
        start, cancel, status = pb.StartWorkflowResponse, pb.CancelResponse, pb.WorkflowStatus
        self.starting = self.channel.unary_unary(
            SERVICE + "StartWorkflow", pb.StartWorkflowRequest.SerializeToString, start.FromString
        )
        self.cancelling = self.channel.unary_unary(
            SERVICE + "CancelWorkflow", pb.CancelRequest.SerializeToString, cancel.FromString
        )
        self.asking = self.channel.unary_unary(
            SERVICE + "GetWorkflowStatus", pb.GetStatusRequest.SerializeToString, status.FromString
        )

    def start(self, run_id: str, *, first: bool = True, text: bytes = b"[]") -> pb.StartWorkflowResponse:
        request = pb.StartWorkflowRequest(workflow_type="w", workflow_id="one", run_id=run_id, first=first)
        request.input.data = text
        return self.starting(request, timeout=20)

    def cancel(self) -> None:
        self.cancelling(pb.CancelRequest(workflow_id="one"), timeout=20)

    def state(self, run_id: str) -> int:
        return self.asking(pb.GetStatusRequest(workflow_id="one", run_id=run_id), timeout=20).info.state


@pytest.mark.parametrize("mode", ["snapshot", "state-action-log"])
def test_a_used_run_id_that_is_said_to_be_new_makes_another_run_of_that_name(tmp_path: Path, mode: str) -> None:
    options = ("--persistence", mode, "--db", "a.db")
    with Server(tmp_path, *options) as server:
        client = PlainClient(server)
        for run_id in ("r1", "r2", "r1", "r2"):
            assert not client.start(run_id).existing
            client.cancel()
        assert client.start("r2", first=False).existing
        client.channel.close()
        server.process.kill()
    with Server(tmp_path, *options) as server:
        client = PlainClient(server)
        assert not client.start("r1").existing
        assert client.state("r1") == model_pb2.RUN_STATE_PENDING
        client.cancel()
        assert client.start("r1", first=False).existing
        assert client.state("r1") == model_pb2.RUN_STATE_CANCELLED
        client.channel.close()
        server.tell()
        assert server.finish()[0] == 0
