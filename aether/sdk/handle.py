"""A run from outside: ask about it, wait for it, cancel it. Any process may have started it."""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

import anyio

from aether.errors import AetherError, InvalidArgument
from aether.model.events import Event, RunCancelled, RunCompleted, RunFailed
from aether.sdk import rpc
from aether.sdk.converters import UNDECLARED
from aether.sdk.entropy import new_id
from aether.sdk.past import (
    Explanation,
    FollowedTimeline,
    PastState,
    TimelineRow,
    explanation_from_proto,
    state_from_items,
    timeline_row_from_proto,
)
from aether.sdk.traces import current_traceparent
from aether.sdk.views import WorkflowInfo, WorkflowStatus, outcome, status_from_proto
from aether.wire.convert import decode_event
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2
from aether.wire.values import payload_from_proto, payload_to_proto

if TYPE_CHECKING:
    from aether.sdk.client import Client

R = TypeVar("R")
T = TypeVar("T")

_CLOSING: Final = (RunCompleted, RunFailed, RunCancelled)
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

    async def signal(self, name: str, value: object = None, *, signal_id: str | None = None) -> None:
        """Send the run a message; its code takes it with `ctx.wait_signal(name)`, now or later.

        A signal with the `signal_id` of an earlier one changes nothing. Without one an id is made up, so that repeating
        the request after a lost answer sends nothing twice.

        Raises:
            WorkflowClosed: The run is over already.

        """
        payload = self._client.converter.encode(value, f"the value of signal {name!r}")
        request = client_pb2.SignalRequest(
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            name=name,
            value=payload_to_proto(payload),
            signal_id=signal_id or new_id(),
            traceparent=current_traceparent(),
        )
        await rpc.call_until(
            self._client.transport,
            _SERVICE + "SignalWorkflow",
            request,
            client_pb2.SignalResponse.FromString,
            timeout_s=self._client.timeout_s,
        )

    @overload
    async def read(self, key: str) -> Any: ...
    @overload
    async def read(self, key: str, *, result_type: type[T]) -> T | None: ...
    async def read(self, key: str, *, result_type: Any = UNDECLARED) -> Any:
        """What the run has published last under `key`, or None; no worker is needed for it."""
        request = client_pb2.ReadValueRequest(workflow_id=self.workflow_id, run_id=self.run_id, key=key)
        answer = await rpc.call_until(
            self._client.transport,
            _SERVICE + "ReadValue",
            request,
            client_pb2.ReadValueResponse.FromString,
            timeout_s=self._client.timeout_s,
        )
        if not answer.found:
            return None
        return self._client.converter.decode(
            payload_from_proto(answer.value), f"what is published as {key!r}", result_type
        )

    async def cancel(self, reason: str = "", *, force: bool = False) -> None:
        """Ask the run to stop: its code is cancelled where it waits, and may clean up. Asking twice is harmless.

        With `force` it ends at once, without cleaning up.

        Raises:
            WorkflowClosed: It is over already.

        """
        request = client_pb2.CancelRequest(workflow_id=self.workflow_id, run_id=self.run_id, reason=reason, force=force)
        await rpc.call_until(
            self._client.transport,
            _SERVICE + "CancelWorkflow",
            request,
            client_pb2.CancelResponse.FromString,
            timeout_s=self._client.timeout_s,
        )

    async def pause(self, reason: str = "") -> None:
        """Hold the run where it is: no worker gets it, and no attempt of its activities begins. Time goes on.

        What is under way may finish. Pausing twice is harmless; cancelling a paused run lets it go on and clean up.

        Raises:
            WorkflowClosed: It is over already.

        """
        request = client_pb2.PauseRequest(workflow_id=self.workflow_id, run_id=self.run_id, reason=reason)
        await rpc.call_until(
            self._client.transport,
            _SERVICE + "PauseWorkflow",
            request,
            client_pb2.PauseResponse.FromString,
            timeout_s=self._client.timeout_s,
        )

    async def resume(self) -> None:
        """Let a paused run go on; harmless for one that is not. Raises `WorkflowClosed`."""
        request = client_pb2.ResumeRequest(workflow_id=self.workflow_id, run_id=self.run_id)
        await rpc.call_until(
            self._client.transport,
            _SERVICE + "ResumeWorkflow",
            request,
            client_pb2.ResumeResponse.FromString,
            timeout_s=self._client.timeout_s,
        )

    def history(self, *, after_seq: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """The events so far, oldest first; with `follow` also those that come, until the run is closed.

        Who follows does so over restarts of the server, and sees each event once.
        """
        request = admin_pb2.GetHistoryRequest(workflow_id=self.workflow_id, run_id=self.run_id, after_seq=after_seq)
        path = "/aether.v1.AdminService/GetHistory"
        if not follow:
            return rpc.stream_until(
                self._client.transport, path, request, decode_event, timeout_s=self._client.timeout_s
            )
        request.follow = True
        return self._follow(path, request)

    async def _follow(self, path: str, request: admin_pb2.GetHistoryRequest) -> AsyncIterator[Event]:
        if not request.run_id:
            # Or it would go on with another run of the id when it has to ask again.
            request.run_id = (await self.status()).info.run_id
        backoff = rpc.Backoff()
        while True:
            try:
                async with aclosing(rpc.stream(self._client.transport, path, request, decode_event)) as events:
                    async for event in events:
                        yield event
                        if isinstance(event.fact, _CLOSING):
                            return
                        request.after_seq = event.seq
                        backoff.reset()
            except AetherError as error:
                if not error.is_retryable:
                    raise
                await backoff.wait()
            else:
                return

    async def timeline(self) -> list[TimelineRow]:
        """What the run did and when: first the run, then its parts in the order of its code, then its signals."""
        request = admin_pb2.GetTimelineRequest(workflow_id=self.workflow_id, run_id=self.run_id)
        rows = rpc.stream_until(
            self._client.transport,
            "/aether.v1.AdminService/GetTimeline",
            request,
            timeline_row_from_proto,
            timeout_s=self._client.timeout_s,
        )
        return [row async for row in rows]

    async def follow_timeline(self) -> AsyncGenerator[list[TimelineRow], None]:
        """The timeline, and again all of it each time when something has changed, until the run is closed.

        It goes on over restarts of the server.
        """
        request = admin_pb2.GetTimelineRequest(workflow_id=self.workflow_id, run_id=self.run_id, follow=True)
        if not request.run_id:
            request.run_id = (await self.status()).info.run_id
        backoff = rpc.Backoff()
        followed = FollowedTimeline()
        path = "/aether.v1.AdminService/GetTimeline"
        while True:
            begun_at = math.inf
            try:
                pieces = rpc.batches(self._client.transport, path, request, timeline_row_from_proto)
                async with aclosing(pieces):
                    async for rows in pieces:
                        begun_at = min(begun_at, anyio.current_time())
                        yield followed.take(rows)
            except AetherError as error:
                if not error.is_retryable:
                    raise
            if followed.is_over:
                return
            backoff.reset_if_lasting(begun_at)
            await backoff.wait()

    async def at(self, seq: int) -> PastState:
        """The run as it was after event `seq`. Raises `InvalidArgument` if there is no such event."""
        request = admin_pb2.GetStateAtRequest(workflow_id=self.workflow_id, run_id=self.run_id, seq=seq)
        items = rpc.stream_until(
            self._client.transport,
            "/aether.v1.AdminService/GetStateAt",
            request,
            admin_pb2.StateItem.FromString,
            timeout_s=self._client.timeout_s,
        )
        return state_from_items([item async for item in items], self._client.converter)

    async def why(self) -> Explanation:
        """What the run waits for, or how it ended: `print(await handle.why())`."""
        return await rpc.call_until(
            self._client.transport,
            "/aether.v1.AdminService/ExplainWorkflow",
            admin_pb2.ExplainRequest(workflow_id=self.workflow_id, run_id=self.run_id),
            explanation_from_proto,
            timeout_s=self._client.timeout_s,
        )

    async def fork(self, *, at: int, workflow_id: str = "") -> "Handle[R]":
        """A new run that shares this one's history up to event `at`, and goes on from there.

        What was not over at that event begins anew. Without a `workflow_id` the server makes one up.

        Raises:
            InvalidArgument: The history can not be cut there; the message says where it can.
            WorkflowAlreadyExists: The id is that of an open run.

        """
        return await self._fork(admin_pb2.ForkRequest(at_seq=at, new_workflow_id=workflow_id))

    async def retry(self, *, workflow_id: str = "") -> "Handle[R]":
        """Fork a run that failed or was cancelled at the last event before that; under its own id unless told another.

        Raises:
            WorkflowClosed: There is nothing to retry, or it is not safe; the message says why.

        """
        return await self._fork(admin_pb2.ForkRequest(retry=True, new_workflow_id=workflow_id))

    async def _fork(self, request: admin_pb2.ForkRequest) -> "Handle[R]":
        request.workflow_id, request.run_id = self.workflow_id, self.run_id
        # Made here, so that a request whose answer was lost can be repeated without making two runs.
        request.new_run_id = new_id()
        answer = await rpc.call_until(
            self._client.transport,
            "/aether.v1.AdminService/ForkWorkflow",
            request,
            admin_pb2.ForkResponse.FromString,
            timeout_s=self._client.timeout_s,
        )
        return Handle(self._client, answer.workflow_id, answer.run_id, self._result_type)

    def forks(self) -> AsyncIterator[WorkflowInfo]:
        """The runs that were forked from this one, newest first. The handle must know its `run_id`."""
        if not self.run_id:
            raise InvalidArgument("forks() needs the handle of one run: client.handle(workflow_id, run_id)")
        return self._client.list(filter=f'tag.forked_from:"{self.run_id}"')

    def __repr__(self) -> str:
        return f"<handle of {self.workflow_id!r}{f' run {self.run_id}' if self.run_id else ''}>"
