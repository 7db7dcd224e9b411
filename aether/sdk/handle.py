"""A run from outside: ask about it, wait for it, cancel it. Any process may have started it."""

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aether.model.events import Event
from aether.sdk import rpc
from aether.sdk.views import WorkflowStatus, outcome, status_from_proto
from aether.wire.convert import decode_event
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2

if TYPE_CHECKING:
    from aether.sdk.client import Client

R = TypeVar("R")

_SERVICE: Final = "/aether.v1.ClientService/"


class Handle(Generic[R]):
    """Of the run `run_id`, or, where that is empty, of the newest run of `workflow_id`."""

    def __init__(self, client: "Client", workflow_id: str, run_id: str, result_type: object) -> None:
        self._client = client
        self._result_type = result_type
        self.workflow_id = workflow_id
        self.run_id = run_id

    async def status(self) -> WorkflowStatus:
        """Raises `WorkflowNotFound`."""
        request = client_pb2.GetStatusRequest(workflow_id=self.workflow_id, run_id=self.run_id)
        transport = self._client.transport
        answer = await rpc.call_until(
            transport,
            _SERVICE + "GetWorkflowStatus",
            request,
            client_pb2.WorkflowStatus.FromString,
            timeout_s=self._client.timeout_s,
        )
        return status_from_proto(answer, self._client.converter)

    async def result(self, *, timeout_s: float | None = None) -> R:
        """Wait until the run is closed, over restarts of the server too, for at most `timeout_s`.

        Raises:
            WorkflowFailed: With the whole chain in `failure`.
            WorkflowCancelled: Somebody cancelled it.
            DeadlineExceeded: It is still open; nothing happened to it.

        """
        request = client_pb2.AwaitResultRequest(workflow_id=self.workflow_id, run_id=self.run_id)
        answer = await rpc.call_until(
            self._client.transport,
            _SERVICE + "AwaitResult",
            request,
            client_pb2.WorkflowResult.FromString,
            timeout_s=timeout_s,
        )
        result: R = outcome(answer, self._client.converter, self._result_type)
        return result

    async def cancel(self, reason: str = "") -> None:
        """Ask the run to stop: its code is cancelled where it waits, and may clean up. Asking twice is harmless.

        Raises:
            WorkflowClosed: It is over already.

        """
        request = client_pb2.CancelRequest(workflow_id=self.workflow_id, run_id=self.run_id, reason=reason)
        await rpc.call_until(
            self._client.transport,
            _SERVICE + "CancelWorkflow",
            request,
            client_pb2.CancelResponse.FromString,
            timeout_s=self._client.timeout_s,
        )

    def history(self, *, after_seq: int = 0) -> AsyncIterator[Event]:
        """The events so far, oldest first."""
        request = admin_pb2.GetHistoryRequest(workflow_id=self.workflow_id, run_id=self.run_id, after_seq=after_seq)
        return rpc.stream(self._client.transport, "/aether.v1.AdminService/GetHistory", request, partial(decode_event))

    def __repr__(self) -> str:
        return f"<handle of {self.workflow_id!r}{f' run {self.run_id}' if self.run_id else ''}>"
