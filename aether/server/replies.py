"""How calls are answered when it is not just a message: refusals, and answers that need the disk."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio
from google.protobuf.message import DecodeError

from aether.errors import (
    AetherError,
    InvalidArgument,
    ServerFault,
    ServerUnavailable,
    StorageUnavailable,
    WorkflowNotFound,
)
from aether.server.archive import PAGE_EVENTS
from aether.server.row_states import with_true_state
from aether.server.telemetry import Log
from aether.store.interface import Reader, RunRow, StoreDamaged, StoreError
from aether.wire.calls import Call, internal_error
from aether.wire.errors import status_of

log = Log("aether.server")


def find_row(workflow_id: str, run_id: str, reader: Reader) -> RunRow:
    """The run of that id on disk; raises WorkflowNotFound."""
    row = reader.run(workflow_id, run_id or None)
    if row is None:
        which = f" with run id {run_id}" if run_id else ""
        raise WorkflowNotFound(f"no workflow {workflow_id!r}{which}; `aether workflow list` shows what there is")
    return with_true_state(row, reader)


def find_closed(workflow_id: str, run_id: str, reader: Reader) -> RunRow:
    """The same for a run that the engine does not have. Raises StoreDamaged if its history is damaged."""
    row = find_row(workflow_id, run_id, reader)
    after = 0
    while row.closed_at is None and (page := reader.events(row.key, after, PAGE_EVENTS)):
        after = page[-1].seq
    return row


def refuse_just_started(row: RunRow) -> None:
    """Raises WorkflowNotFound: the run was not there when the engine was asked for it, and is open now."""
    if row.closed_at is None:
        raise WorkflowNotFound(
            f"workflow {row.workflow_id!r} (run {row.run_id}) has been started a moment after this was asked; ask again"
        )


def refuse(call: Call, fault: object) -> None:
    """End the call with an error."""
    if isinstance(fault, DecodeError):
        fault = InvalidArgument("the request is not the message that the method takes")
    assert isinstance(fault, AetherError), fault
    call.finish(status_of(fault))


async def respond_later(call: Call, produce: Callable[[], Awaitable[bytes]]) -> None:
    """A unary answer that needs the disk. Where much is unread it is made again when there is room for it."""
    try:
        answer = await produce()
        while not call.has_room_for(answer):
            del answer
            await _room(call)
            answer = await produce()
        call.respond(answer)
    except Exception as fault:  # noqa: BLE001 - contained: one answer is lost, everybody else carries on
        fail(call, fault)


async def _room(call: Call) -> None:
    """Until there is room for a large answer, or nobody waits for it any more."""
    told = trio.Event()
    call.on_writable = told.set
    call.on_closed = lambda reason: told.set()
    call.await_room()
    await told.wait()


async def stream_later(call: Call, produce: Callable[[], Awaitable[None]]) -> None:
    """An answer of many messages, which `produce` sends."""
    try:
        await produce()
    except Exception as fault:  # noqa: BLE001 - contained: one answer is lost, everybody else carries on
        fail(call, fault)
    else:
        call.finish()


class EndlessStreams:
    """Answers that go on until the call ends, or the server."""

    def __init__(self) -> None:
        self._scopes: dict[Call, trio.CancelScope] = {}

    def __len__(self) -> int:
        return len(self._scopes)

    @contextmanager
    def keep(self, call: Call) -> Iterator[None]:
        """What is done inside ends with the call."""
        with trio.CancelScope() as scope:
            self._scopes[call] = scope
            call.on_closed = lambda reason: scope.cancel()
            call.is_timed = False
            if call.has_ended:
                scope.cancel()
            try:
                yield
            finally:
                del self._scopes[call]

    def drain(self) -> None:
        """The next server goes on where this one was."""
        for call, scope in list(self._scopes.items()):
            call.finish(status_of(ServerUnavailable("the server is stopping; ask again")))
            scope.cancel()


async def room(call: Call) -> None:
    """Wait until the peer has read enough of what it was sent. Raises ServerUnavailable when it has gone."""
    if call.has_ended:
        raise ServerUnavailable("nobody listens any more")
    if not call.is_congested:
        return
    writable, told = trio.Event(), call.on_closed

    def closed(reason: str) -> None:
        writable.set()
        told(reason)

    call.on_writable, call.on_closed = writable.set, closed
    await writable.wait()
    call.on_closed = told


def fail(call: Call, fault: Exception) -> None:
    """An answer that could not be made: the caller's fault, the disk's, or ours."""
    if not isinstance(fault, AetherError) or isinstance(fault, StoreError):
        log.error("answer_failed", path=call.path, request_id=call.request_id, exc_info=fault)
    if not isinstance(fault, AetherError):
        fault = ServerFault(internal_error(call))
    elif isinstance(fault, StoreDamaged):
        # Not to be asked for again and again, as what is only unavailable.
        fault = ServerFault(f"damaged on disk: {fault.what}; restore a backup, `aether db check` tells more")
    elif isinstance(fault, StoreError):
        fault = StorageUnavailable("the server can not read its database; its log tells more")
    refuse(call, fault)
