"""Calls that let their branch go on while they last: children that were spawned, promises."""

from typing import Any, Final, Generic, TypeVar

from aether.errors import ChildCancelled, ChildFailed, PromiseFailed
from aether.model.payload import Failure
from aether.sdk.converters import Converter
from aether.sdk.define import Workflow
from aether.sdk.failures import from_failure
from aether.sdk.run import Run
from aether.sdk.waiters import Waiter

T = TypeVar("T")
# The server's word for a promise that nobody has completed in time.
_TIMEOUT: Final = "PromiseTimeout"


class Spawned(Generic[T]):
    """A child that runs beside this workflow. Made by `ctx.spawn`."""

    def __init__(
        self, run: Run, waiter: Waiter, workflow: Workflow[..., T], converter: Converter, workflow_id: str
    ) -> None:
        self._run = run
        self._waiter = waiter
        self._workflow = workflow
        self._converter = converter
        self.workflow_id = workflow_id

    async def result(self) -> T:
        """Wait until the child is closed. Raises like `ctx.child`."""
        branch = self._run.branch("spawned.result")
        await self._run.join_call(self._waiter, branch)
        return child_result(self._waiter, self._workflow, self._converter)


class Promise(Generic[T]):
    """Something that somebody outside brings about. Made by `ctx.promise`."""

    def __init__(self, run: Run, waiter: Waiter, result_type: Any, converter: Converter) -> None:
        self._run = run
        self._waiter = waiter
        self._result_type = result_type
        self._converter = converter

    @property
    def token(self) -> str:
        """By which it is completed."""
        return f"{self._waiter.path}/{self._run.run_id}/{self._run.workflow_id}"

    async def result(self) -> T:
        """Wait until it is completed.

        Raises:
            PromiseFailed: It was completed with a failure.
            TimeoutError: Nobody has completed it within its `timeout_s`.

        """
        branch = self._run.branch("promise.result")
        await self._run.join_call(self._waiter, branch)
        waiter, subject = self._waiter, f"promise {self._waiter.name!r}"
        if waiter.failure is not None and waiter.failure.type == _TIMEOUT:
            raise TimeoutError(waiter.failure.message)
        if waiter.failure is not None:
            raise from_failure(PromiseFailed, subject, waiter.failure)
        assert waiter.result is not None
        result: T = self._converter.decode(waiter.result, f"the result of {subject}", self._result_type)
        return result


def child_result(waiter: Waiter, workflow: Workflow[..., T], converter: Converter) -> T:
    subject = f"child workflow {workflow.name!r}"
    if waiter.failure is not None:
        raise from_failure(ChildFailed, subject, waiter.failure)
    if waiter.result is None:
        raise ChildCancelled(f"{subject} was cancelled", Failure("Cancelled", f"{subject} was cancelled"))
    result: T = converter.decode(waiter.result, f"the result of {subject}", workflow.arguments.returned)
    return result
