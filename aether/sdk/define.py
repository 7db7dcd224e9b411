"""What users write: workflows and activities as decorated functions, with the types of the functions.

A `Workflow[P, R]` starts runs, an `Activity[P, R]` is what `ctx.activity` asks for. Both are plain values: `options`
returns a changed copy with the same types. `Definitions` holds what one client has, by name.
"""

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from attrs import evolve, field, frozen

from aether.errors import InvalidArgument
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels
from aether.sdk.arguments import Arguments
from aether.sdk.concurrency import Concurrency

if TYPE_CHECKING:
    from aether.sdk.client import Client
    from aether.sdk.context import Context
    from aether.sdk.handle import Handle

IdReuse = Literal["allow", "allow_if_failed", "reject"]
ParentClose = Literal["cancel", "terminate", "abandon"]
_ID_REUSES = ("allow", "allow_if_failed", "reject")
_DAYS_MAX = 36_500
_PARENT_CLOSES = ("cancel", "terminate", "abandon")
P = ParamSpec("P")
R = TypeVar("R")


@frozen(eq=False, repr=False)
class Workflow(Generic[P, R]):
    """An ordinary async function whose durable calls are recorded. Made by `Client.workflow`."""

    name: str
    function: "Callable[Concatenate[Context, P], Coroutine[Any, Any, R]]"
    arguments: Arguments
    client: "Client"
    workflow_id: str = ""
    task_queue: str = ""
    id_reuse: IdReuse = "allow"
    start_delay_s: float = 0
    run_timeout_s: float = 0
    priority: int = 0
    tags: Mapping[str, str] = field(factory=dict)
    memo: Mapping[str, Any] = field(factory=dict)
    parent_close_policy: ParentClose = "cancel"
    labels: Labels = ()
    concurrency: Concurrency | None = None

    def options(
        self,
        *,
        workflow_id: str | None = None,
        task_queue: str | None = None,
        id_reuse: IdReuse | None = None,
        start_delay_s: float | None = None,
        run_timeout_s: float | None = None,
        priority: int | None = None,
        tags: Mapping[str, str] | None = None,
        memo: Mapping[str, Any] | None = None,
        parent_close_policy: ParentClose | None = None,
        labels: Mapping[str, str] | None = None,
        concurrency: Concurrency | None = None,
    ) -> "Workflow[P, R]":
        """The same workflow with other rules for its runs; what is None stays as it is.

        `id_reuse` tells whether an id may be used again whose last run is closed: "allow", "allow_if_failed" (it did
        not complete) or "reject". The first task is due after `start_delay_s`; a run that is open for `run_timeout_s`
        fails. `priority` is from 1, the most urgent, to 5. `tags` and `memo` stay with the run and are shown by its
        status. Only workers that have all of `labels` take them, and no more of them are open at a time than
        `concurrency` allows.
        `parent_close_policy` is for children that are spawned: "cancel", "terminate" or "abandon".
        """
        given = {
            "workflow_id": None if workflow_id is None else check_name(workflow_id, "workflow id"),
            "task_queue": None if task_queue is None else check_name(task_queue, "task queue"),
            "id_reuse": None if id_reuse is None else _one_of(id_reuse, _ID_REUSES, "id_reuse"),
            "start_delay_s": _seconds(start_delay_s, "start_delay_s"),
            "run_timeout_s": _seconds(run_timeout_s, "run_timeout_s"),
            "priority": priority,
            "tags": tags,
            "memo": memo,
            "parent_close_policy": None
            if parent_close_policy is None
            else _one_of(parent_close_policy, _PARENT_CLOSES, "parent_close_policy"),
            "labels": None if labels is None else check_labels(labels),
            "concurrency": concurrency,
        }
        return evolve(self, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]

    def prepare(self, *args: P.args, **kwargs: P.kwargs) -> "Start[R]":
        """A start for `client.start_many`; wrong arguments are refused here."""
        return Start(self, self.arguments.encode(self.client.converter, args, kwargs), self.limit(args, kwargs))

    def limit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConcurrencyLimit | None:
        """What a run with these arguments has to wait for."""
        if self.concurrency is None:
            return None
        return self.concurrency.limit_of(f"workflow {self.name}", args, kwargs)

    async def start(self, *args: P.args, **kwargs: P.kwargs) -> "Handle[R]":
        """Create a run and come back once the server has it.

        With an id that is open already this is the handle of the open run, if type and input agree; otherwise it raises
        `WorkflowAlreadyExists`.
        """
        return await self.client.start(self, *args, **kwargs)

    async def start_and_wait(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result. Raises `WorkflowFailed` or `WorkflowCancelled`."""
        return await self.client.start_and_wait(self, *args, **kwargs)

    def __call__(self, ctx: "Context", /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Run the function as a part of the calling workflow; `ctx.child` makes a run of it."""
        return self.function(ctx, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<workflow {self.name!r}>"


@frozen(eq=False)
class Start(Generic[R]):
    """A run that is to be created. Made by `Workflow.prepare`."""

    workflow: Workflow[..., R]
    input: Payload
    limit: ConcurrencyLimit | None = None


@frozen(eq=False, repr=False)
class Activity(Generic[P, R]):
    """A function with side effects that the server dispatches to any worker that has it. Made by `Client.activity`."""

    name: str
    function: Callable[..., Any]
    arguments: Arguments
    is_async: bool
    retry: RetryPolicy = DEFAULT_RETRY
    timeouts: ActivityTimeouts = NO_TIMEOUTS
    task_queue: str = ""
    labels: Labels = ()
    concurrency: Concurrency | None = None

    def limit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConcurrencyLimit | None:
        """What a call with these arguments has to wait for."""
        if self.concurrency is None:
            return None
        return self.concurrency.limit_of(f"activity {self.name}", args, kwargs)

    def __repr__(self) -> str:
        return f"<activity {self.name!r}>"


@frozen(eq=False, repr=False)
class AsyncActivity(Activity[P, R]):
    """Of an async function: its attempts run in the worker's event loop."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Call the function itself, with nothing recorded."""
        result: Coroutine[Any, Any, R] = self.function(*args, **kwargs)
        return result

    def options(
        self,
        *,
        task_queue: str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: ActivityTimeouts | None = None,
        labels: Mapping[str, str] | None = None,
        concurrency: Concurrency | None = None,
    ) -> "AsyncActivity[P, R]":
        """The same activity with other rules; what is None stays as it is."""
        return evolve(self, **_changes(self, task_queue, retry, timeouts, labels, concurrency))


@frozen(eq=False, repr=False)
class SyncActivity(Activity[P, R]):
    """Of a plain function: its attempts run in threads."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, with nothing recorded."""
        result: R = self.function(*args, **kwargs)
        return result

    def options(
        self,
        *,
        task_queue: str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: ActivityTimeouts | None = None,
        labels: Mapping[str, str] | None = None,
        concurrency: Concurrency | None = None,
    ) -> "SyncActivity[P, R]":
        """The same activity with other rules; what is None stays as it is."""
        return evolve(self, **_changes(self, task_queue, retry, timeouts, labels, concurrency))


def _changes(
    activity: Activity[Any, Any],
    task_queue: str | None,
    retry: RetryPolicy | None,
    timeouts: ActivityTimeouts | None,
    labels: Mapping[str, str] | None,
    concurrency: Concurrency | None,
) -> dict[str, Any]:
    return {
        "task_queue": activity.task_queue if task_queue is None else check_name(task_queue, "task queue"),
        "retry": retry or activity.retry,
        "timeouts": timeouts or activity.timeouts,
        "labels": activity.labels if labels is None else check_labels(labels),
        "concurrency": concurrency or activity.concurrency,
    }


@frozen
class ActivityDecorator:
    """What `Client.activity(...)` returns; it takes the function."""

    definitions: "Definitions"
    name: str
    retry: RetryPolicy
    timeouts: ActivityTimeouts
    task_queue: str
    labels: Labels
    concurrency: Concurrency | None

    @overload
    def __call__(  # type: ignore[overload-overlap]  # what a coroutine function returns is a coroutine
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncActivity[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> SyncActivity[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Activity[Any, Any]:
        is_async = is_coroutine_function(function)
        make: type[Activity[Any, Any]] = AsyncActivity if is_async else SyncActivity
        activity = make(
            self.name,
            function,
            Arguments(function, f"activity {self.name!r}"),
            is_async,
            self.retry,
            self.timeouts,
            self.task_queue,
            self.labels,
            self.concurrency,
        )
        self.definitions.add_activity(activity)
        return activity


@frozen
class Definitions:
    """The workflows and activities of one client, by name."""

    workflows: dict[str, Workflow[..., Any]] = field(factory=dict)
    activities: dict[str, Activity[..., Any]] = field(factory=dict)

    def define_workflow(
        self,
        client: "Client",
        name: str,
        function: "Callable[Concatenate[Context, P], Coroutine[Any, Any, R]]",
        concurrency: Concurrency | None = None,
    ) -> Workflow[P, R]:
        subject = f"workflow {check_name(name, 'workflow name')!r}"
        if not is_coroutine_function(function):
            raise InvalidArgument(
                f"{subject}: {_name_of(function)} is a plain function; a workflow waits for its steps: "
                "write `async def`"
            )
        _refuse_duplicate(subject, name, self.workflows)
        workflow = Workflow(name, function, Arguments(function, subject, skipped=1), client, concurrency=concurrency)
        self.workflows[name] = workflow
        return workflow

    def add_activity(self, activity: Activity[..., Any]) -> None:
        _refuse_duplicate(f"activity {activity.name!r}", activity.name, self.activities)
        self.activities[activity.name] = activity

    def served(self, chosen: Iterable[Workflow[..., Any]]) -> Mapping[str, Workflow[..., Any]]:
        """The workflows that a worker registers: those named, or all there are."""
        found = {workflow.name: workflow for workflow in chosen}
        for name, workflow in found.items():
            if name not in self.workflows or self.workflows[name].function is not workflow.function:
                raise InvalidArgument(f"{workflow!r} is not defined on this client")
        return found or dict(self.workflows)


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise InvalidArgument(f"{what} must be one of {', '.join(known)}, not {value!r}", field=what)
    return value


def _seconds(value: float | None, what: str) -> float | None:
    if value is not None and not 0 <= value * 1000 <= DEFAULT_LIMITS.delay_max_ms:
        raise InvalidArgument(f"{what} must be from 0 seconds to ten years, not {value}", field=what)
    return value


def check_kept(closed_max: int, closed_days: float) -> tuple[int, float]:
    """How many closed runs are kept, and for how many days; 0 is no bound. Raises InvalidArgument."""
    if closed_max < 0:
        raise InvalidArgument(f"closed_max must not be negative, it is {closed_max}", field="closed_max")
    if not 0 <= closed_days < _DAYS_MAX:
        raise InvalidArgument(f"closed_days must be from 0 to {_DAYS_MAX}, it is {closed_days}", field="closed_days")
    return closed_max, closed_days


def check_name(name: str, what: str) -> str:
    """Ids and names go into indexes and terminals: something readable of a bounded length."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise InvalidArgument(f"{what} {name!r} must be printable text that is not empty")
    if len(name.encode("utf-8", "surrogatepass")) > DEFAULT_LIMITS.name_max:
        raise InvalidArgument(f"{what} {name[:40]!r}… is longer than {DEFAULT_LIMITS.name_max} bytes")
    return name


def check_labels(labels: Mapping[str, str]) -> Labels:
    """Of a worker, or what a task wants of one."""
    if len(labels) > DEFAULT_LIMITS.labels_max:
        raise InvalidArgument(f"{len(labels)} labels; at most {DEFAULT_LIMITS.labels_max}", field="labels")
    for name, value in labels.items():
        check_name(name, "label")
        check_name(value, f"the value of label {name!r}")
    return tuple(sorted(labels.items()))


def is_coroutine_function(function: object) -> bool:
    """Also of a partial, and of an object with an async `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or (
        not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__)
    )


def _refuse_duplicate(subject: str, name: str, there: Mapping[str, Any]) -> None:
    if name in there:
        raise InvalidArgument(f"{subject} is defined already, by {_name_of(there[name].function)}")


def _name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
