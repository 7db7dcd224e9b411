"""The client: where workflows and activities are defined, started, and served by a worker."""

import builtins
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import ceil
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, overload

import anyio

from aether.errors import AetherError, InvalidArgument
from aether.model.limits import CLOSED_RUNS_MAX, SNAPSHOT_INTERVAL_S
from aether.model.policy import DEFAULT_RETRY, ActivityTimeouts, RetryPolicy
from aether.model.runs import RunState
from aether.sdk import rpc
from aether.sdk.blocks import Blocks
from aether.sdk.concurrency import Concurrency
from aether.sdk.converters import UNDECLARED, Codec, Converter
from aether.sdk.define import ActivityDecorator, Definitions, Start, Workflow, check_kept, check_labels, check_name
from aether.sdk.entropy import new_id
from aether.sdk.events import LoggedEvent, follow_events
from aether.sdk.failures import to_failure
from aether.sdk.handle import Handle
from aether.sdk.lists import list_runs
from aether.sdk.metrics import Metrics, metrics_from_proto
from aether.sdk.queues import QueueInfo, list_queues, update_queue
from aether.sdk.traces import current_traceparent
from aether.sdk.transport import Transport
from aether.sdk.views import WorkflowInfo, outcome
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2
from aether.wire.values import concurrency_to_proto, failure_to_proto, payload_to_proto

if TYPE_CHECKING:
    from aether.sdk.context import Context
    from aether.sdk.embedded import Embedded
    from aether.sdk.session import WorkerSettings

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

SERVER_VARIABLE: Final = "AETHER_SERVER"
_REUSE_POLICIES: Final = {
    "allow_if_failed": client_pb2.ID_REUSE_POLICY_ALLOW_IF_FAILED,
    "reject": client_pb2.ID_REUSE_POLICY_REJECT,
}
_START: Final = "/aether.v1.ClientService/StartWorkflow"
_DB: Final = "./data/aether.db"
_MEMORY: Final = "memory"
_MODES: Final = ("state-action-log", "snapshot", _MEMORY)
# How long a request is repeated while the server can not be reached.
_TIMEOUT_S: Final = 30.0
_STARTS_AT_ONCE: Final = 1_000
_GRACE_S: Final = 10.0
_RESIDENT_MAX: Final = 10_000
# Ids that are made here stay below the server's bound on names, and keep their random end.
_ID_MAX: Final = 150


class Client:
    """Everything begins here.

    `target` is "http://host:port", "https://…" or "unix:///path"; without one it is what `AETHER_SERVER` says, and
    without that a server embedded in this process with its data at `db` ("memory" keeps nothing). `persistence` is
    what that server's answers mean: "state-action-log" (they are on disk), "snapshot" (they will be within
    `snapshot_interval_s`), or "memory"; of closed runs it keeps the newest `closed_max`, for `closed_days` (0: no
    bound). `codec` changes payloads on their way out and back. The rest is about the
    worker that `serve` runs; slots of 0 leave the number to the server.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        db: str | None = None,
        persistence: str | None = None,
        snapshot_interval_s: float = SNAPSHOT_INTERVAL_S,
        closed_max: int = CLOSED_RUNS_MAX,
        closed_days: float = 0,
        codec: Codec | None = None,
        task_queue: str = "default",
        worker_id: str | None = None,
        workflow_slots: int = 0,
        activity_slots: int = 0,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.converter = Converter(codec)
        self.task_queue = check_name(task_queue, "task queue")
        self.timeout_s = timeout_s
        self._target = target
        self._db, self._persistence = _place(db, persistence)
        self._snapshot_interval_s = snapshot_interval_s
        self._kept = check_kept(closed_max, closed_days)
        self._worker_id = worker_id
        self._slots = (workflow_slots, activity_slots)
        # Whatever the target is; for tests, which bring their own server along.
        self.make_transport: Callable[[], Transport] | None = None
        self._definitions = Definitions()
        self._embedded: Embedded | None = None
        self._blocks = Blocks(self._connect)

    # Definitions.

    def workflow(
        self, name: str, *, concurrency: Concurrency | None = None
    ) -> "Callable[[Callable[Concatenate[Context, P], Coroutine[Any, Any, R]]], Workflow[P, R]]":
        """Decorates an async function whose first parameter is the `Context`.

        No more runs are open at a time than `concurrency` allows; the others wait until it is their turn to begin.
        """

        def define(function: "Callable[Concatenate[Context, P], Coroutine[Any, Any, R]]") -> Workflow[P, R]:
            return self._definitions.define_workflow(self, name, function, concurrency)

        return define

    def activity(
        self,
        name: str,
        *,
        retry: RetryPolicy = DEFAULT_RETRY,
        start_to_close_s: float = 0,
        schedule_to_start_s: float = 0,
        schedule_to_close_s: float = 0,
        heartbeat_s: float = 0,
        task_queue: str = "",
        labels: Mapping[str, str] | None = None,
        concurrency: Concurrency | None = None,
    ) -> ActivityDecorator:
        """Decorates a function, async or plain. Bounds are seconds, 0 means none; an empty queue is the run's own.

        Only workers that have all of `labels` take its attempts, and no more are made at a time than `concurrency`
        allows.
        """
        timeouts = ActivityTimeouts(schedule_to_start_s, start_to_close_s, schedule_to_close_s, heartbeat_s)
        return ActivityDecorator(
            self._definitions,
            check_name(name, "activity name"),
            retry,
            timeouts,
            task_queue,
            check_labels(labels or {}),
            concurrency,
        )

    # Runs.

    async def start(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Create a run, or find the open one of the same id, type and input."""
        return await self._start(
            Start(workflow, workflow.arguments.encode(self.converter, args, kwargs), workflow.limit(args, kwargs))
        )

    async def start_many(self, starts: Sequence[Start[R]], /) -> builtins.list[Handle[R]]:
        """Create many runs in one round trip: `await client.start_many([order.prepare(id) for id in ids])`.

        The handles are in the order of `starts`. If some can not be started the others are, and the first failure is
        raised; starting again with the same ids finds the runs that there are.
        """
        handles: builtins.list[Handle[R] | AetherError] = []
        for first in range(0, len(starts), _STARTS_AT_ONCE):
            some = starts[first : first + _STARTS_AT_ONCE]
            handles += await self._start_some(some)
        started = [handle for handle in handles if isinstance(handle, Handle)]
        if len(started) < len(handles):
            raise next(handle for handle in handles if isinstance(handle, AetherError))
        return started

    async def _start_some(self, starts: Sequence[Start[R]]) -> builtins.list[Handle[R] | AetherError]:
        """Side by side: what is asked for in one pass of the scheduler goes out in one piece."""
        answers: dict[int, Handle[R] | AetherError] = {}

        async def begin(index: int, start: Start[R]) -> None:
            try:
                answers[index] = await self._start(start)
            except AetherError as error:
                answers[index] = error

        async with anyio.create_task_group() as group:
            for index, start in enumerate(starts):
                group.start_soon(begin, index, start)
        return [answers[index] for index in range(len(starts))]

    async def start_and_wait(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Create a run, or find the open one of the same id, type and input, and wait for its result."""
        start = Start(workflow, workflow.arguments.encode(self.converter, args, kwargs), workflow.limit(args, kwargs))
        request = self._request(start)
        request.await_result = True
        try:
            answer = await rpc.call(self.transport, _START, request, client_pb2.StartWorkflowResponse.FromString)
        except AetherError as error:
            if not error.is_retryable:
                raise
        else:
            result: R = outcome(answer.result, self.converter, workflow.arguments.returned)
            return result
        # What became of the request is not known. Apart, beginning and waiting may each be repeated by its own rule.
        request.await_result = False
        request.first = False
        return await (await self._send_start(request, workflow)).result()

    async def _start(self, start: Start[R]) -> Handle[R]:
        return await self._send_start(self._request(start), start.workflow)

    async def _send_start(self, request: client_pb2.StartWorkflowRequest, workflow: Workflow[..., R]) -> Handle[R]:
        def mark() -> None:
            request.first = False

        answer = await rpc.call_until(
            self.transport,
            _START,
            request,
            client_pb2.StartWorkflowResponse.FromString,
            timeout_s=self.timeout_s,
            before_again=mark,
        )
        return Handle(self, answer.workflow_id, answer.run_id, workflow.arguments.returned)

    def _request(self, start: Start[Any]) -> client_pb2.StartWorkflowRequest:
        workflow = start.workflow
        # Made here, so that a start whose answer was lost can be repeated without making two runs.
        run_id = new_id()
        request = client_pb2.StartWorkflowRequest(
            workflow_type=workflow.name,
            workflow_id=workflow.workflow_id or f"{workflow.name}-{run_id}"[-_ID_MAX:],
            input=payload_to_proto(start.input),
            task_queue=workflow.task_queue or self.task_queue,
            run_id=run_id,
            first=True,
        )
        request.traceparent = current_traceparent()
        if workflow.id_reuse != "allow":
            request.id_reuse_policy = _REUSE_POLICIES[workflow.id_reuse]
        if workflow.start_delay_s:
            request.start_delay_ms = ceil(workflow.start_delay_s * 1000)
        if workflow.run_timeout_s:
            request.run_timeout_ms = ceil(workflow.run_timeout_s * 1000)
        if workflow.priority:
            request.priority = workflow.priority
        for key, value in workflow.tags.items():
            request.tags[key] = value
        for key, value in workflow.labels:
            request.labels[key] = value
        if start.limit is not None:
            request.concurrency.CopyFrom(concurrency_to_proto(start.limit))
        for key, value in workflow.memo.items():
            request.memo[key].CopyFrom(payload_to_proto(self.converter.encode(value, f"memo {key!r}")))
        return request

    async def complete_promise(self, token: str, value: object = None) -> bool:
        """Bring about what a run waits for: `ctx.promise()` made the token. False: somebody has done so before.

        Raises:
            WorkflowNotFound: The run is closed.

        """
        payload = self.converter.encode(value, "the value of the promise")
        return await self._settle(client_pb2.CompletePromiseRequest(token=token, result=payload_to_proto(payload)))

    async def fail_promise(self, token: str, error: Exception) -> bool:
        """Like `complete_promise`, with a failure: the workflow sees `PromiseFailed`."""
        failure = failure_to_proto(to_failure(error))
        return await self._settle(client_pb2.CompletePromiseRequest(token=token, failure=failure))

    async def _settle(self, request: client_pb2.CompletePromiseRequest) -> bool:
        answer = await rpc.call_until(
            self.transport,
            "/aether.v1.ClientService/CompletePromise",
            request,
            client_pb2.CompletePromiseResponse.FromString,
            timeout_s=self.timeout_s,
        )
        return not answer.duplicate

    @overload
    def handle(self, workflow_id: str, run_id: str | None = None) -> Handle[Any]: ...
    @overload
    def handle(self, workflow_id: str, run_id: str | None = None, *, result_type: type[T]) -> Handle[T]: ...
    def handle(self, workflow_id: str, run_id: str | None = None, *, result_type: Any = UNDECLARED) -> Handle[Any]:
        """Of a run that any process has started; without `run_id`, of the newest one of that id."""
        return Handle(self, check_name(workflow_id, "workflow id"), run_id or "", result_type)

    def list(
        self,
        filter: str = "",  # noqa: A002 - the noun of the docs
        *,
        workflow_type: str = "",
        state: RunState | None = None,
        prefix: str = "",
        limit: int = 100,
        doing: bool = False,
        oldest_first: bool = False,
    ) -> AsyncIterator[WorkflowInfo]:
        """Runs, newest first, that are meant: `client.list("state:failed type:order tag.customer:c77")`.

        A type, a state and a prefix say the same as terms of the filter. With `doing` each open run tells what it does.

        Raises:
            InvalidArgument: The filter can not be understood; the message says at which character, and what is right.

        """
        request = admin_pb2.ListRequest(
            workflow_type=workflow_type,
            state=None if state is None else f"RUN_STATE_{state.name}",
            workflow_id_prefix=prefix,
            filter=filter,
            doing=doing,
            oldest_first=oldest_first,
        )
        return list_runs(self.transport, request, limit, self.timeout_s)

    async def metrics(self, *, samples: bool = False) -> Metrics:
        """The server in numbers: runs by state, what waits in task queues, workers, counters.

        With `samples` also how the numbers were during the last hour.
        """
        return await rpc.call_until(
            self.transport,
            "/aether.v1.AdminService/GetMetrics",
            admin_pb2.GetMetricsRequest(samples=samples),
            lambda data: metrics_from_proto(admin_pb2.Metrics.FromString(data)),
            timeout_s=self.timeout_s,
        )

    def events(
        self,
        filter: str = "",  # noqa: A002 - the noun of the docs
        *,
        kinds: Sequence[str] = (),
        last: int = 0,
        after: int | None = None,
        behind_max: int = 0,
        whole: bool = False,
    ) -> AsyncGenerator[LoggedEvent, None]:
        """What happens from now on, over all runs that the filter means, in the order it became durable; without end.

        `kinds` are names of events, as "RunFailed". It begins with what is meant among the `last` events that there
        are, or behind the position `after`. It goes on over restarts of the server, and tells each event once. Who
        reads so slowly that more than `behind_max` (10,000) events wait has some left out: `dropped` of the next one
        says how many. With `whole` each comes with its payloads.

        Raises:
            InvalidArgument: The filter can not be understood, or there is no such kind of event.

        """
        request = admin_pb2.FollowEventsRequest(
            filter=filter, kinds=kinds, last=last, behind_max=behind_max, whole=whole
        )
        if after is not None:
            request.after_position = after
        return follow_events(self.transport, request)

    async def queues(self) -> builtins.list[QueueInfo]:
        """Task queues by name: what they hand out, who takes from them, what waits."""
        return await list_queues(self.transport, self.timeout_s)

    async def update_queue(
        self, task_queue: str, *, paused: bool | None = None, reason: str = "", activity_limit: int | None = None
    ) -> QueueInfo:
        """Pause a task queue or let it go on, or limit its attempts of activities (0: no limit); None: as it is.

        It holds until it is changed, over restarts of the server.
        """
        request = admin_pb2.UpdateQueueRequest(task_queue=task_queue, reason=reason)
        if paused is not None:
            request.paused = paused
        if activity_limit is not None:
            request.activity_limit = activity_limit
        return await update_queue(self.transport, request, self.timeout_s)

    # The connection.

    @property
    def transport(self) -> Transport:
        """Raises `InvalidArgument` outside of `async with`."""
        transport = self._blocks.transport
        if transport is None:
            raise InvalidArgument(
                "this client is not connected: use it inside `async with client:` or `async with client.serve():`"
            )
        return transport

    async def __aenter__(self) -> Self:
        await self._blocks.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._blocks.leave()

    async def _connect(self, stack: AsyncExitStack) -> Transport:
        target = self._target or os.environ.get(SERVER_VARIABLE)
        if self.make_transport is not None:
            transport = self.make_transport()
        elif target:
            transport = Transport(target)
        else:
            from aether.sdk.embedded import Embedded

            if self._embedded is None:
                self._embedded = Embedded(self._db, self._persistence, self._snapshot_interval_s, *self._kept)
            await stack.enter_async_context(self._embedded.used())
            transport = Transport(self._embedded.connect)
        return await stack.enter_async_context(transport)

    # The worker.

    def worker_settings(
        self,
        workflows: Sequence[Workflow[..., Any]] = (),
        resident_max: int = _RESIDENT_MAX,
        labels: Mapping[str, str] | None = None,
    ) -> "WorkerSettings":
        """What a worker of these workflows, or of all there are, registers as."""
        from aether.sdk.worker import new_worker_id, settings_of

        return settings_of(
            self._worker_id or new_worker_id(),
            self.task_queue,
            self._definitions.served(workflows),
            self._definitions.activities,
            self._slots,
            resident_max,
            check_labels(labels or {}),
        )

    @asynccontextmanager
    async def serve(
        self,
        *workflows: Workflow[..., Any],
        labels: Mapping[str, str] | None = None,
        grace_s: float = _GRACE_S,
        resident_max: int = _RESIDENT_MAX,
    ) -> AsyncIterator[Self]:
        """Connect, and run a worker while the block lasts: of these workflows, or of all there are, and all activities.

        The block begins when the server knows the worker. At its end the worker takes nothing new and has `grace_s` to
        bring to an end what is in hand; what is not, goes to another worker or waits for one. At most `resident_max`
        runs, of about 7 KB each, stay in memory while they wait; others are replayed when they go on. What wants
        `labels` goes only to workers that have them.
        """
        from aether.sdk.worker import Worker

        settings = self.worker_settings(workflows, resident_max, labels)
        # Raised at the end, outside of the task group that would wrap them.
        failures: list[BaseException] = []
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self)
            worker = Worker(self.transport, settings, self.converter)
            async with anyio.create_task_group() as group:
                registered = anyio.Event()

                async def run() -> None:
                    try:
                        await worker.run(registered.set)
                    except AetherError as error:
                        failures.append(error)
                        group.cancel_scope.cancel()

                group.start_soon(run, name="aether worker")
                await registered.wait()
                try:
                    yield self
                except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001
                    failures.append(error)
                # Whoever presses Ctrl-C does not want to wait.
                if not failures or isinstance(failures[0], Exception):
                    await worker.drain(grace_s)
                group.cancel_scope.cancel()
        if failures:
            raise failures[0]


def _place(db: str | None, persistence: str | None) -> tuple[str, str]:
    """Where an embedded server keeps its data, and in which mode; one may follow from the other."""
    if persistence is not None and persistence not in _MODES:
        raise InvalidArgument(f"persistence is {persistence!r}; it must be one of {', '.join(_MODES)}")
    place = str(db) if db is not None else _MEMORY if persistence == _MEMORY else _DB
    mode = persistence or (_MEMORY if place == _MEMORY else _MODES[0])
    if (place == _MEMORY) != (mode == _MEMORY):
        raise InvalidArgument(
            f"persistence {mode!r} does not go with db={place!r}: choose another db, or leave out either"
        )
    return place, mode
