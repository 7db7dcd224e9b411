"""The worker: one session after the other, for as long as it is wanted."""

import logging
import math
import os
import platform
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from aether.errors import InvalidArgument
from aether.model.runs import Labels
from aether.sdk.converters import Converter
from aether.sdk.define import Activity, Workflow
from aether.sdk.rpc import Backoff
from aether.sdk.session import Outcomes, Session, WorkerSettings
from aether.sdk.transport import Transport, TransportStream
from aether.wire.errors import error_from_status
from aether.wire.status import Code, RpcError

_PATH: Final = "/aether.v1.WorkerService/WorkSession"
_BACKOFF_MAX_S: Final = 5.0
# Answers that no repetition changes.
_FATAL: Final = (Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.PERMISSION_DENIED)

_log = logging.getLogger("aether.worker")


def new_worker_id() -> str:
    return f"{platform.node() or 'worker'}-{os.getpid()}"


def settings_of(
    worker_id: str,
    task_queue: str,
    workflows: Mapping[str, Workflow[..., Any]],
    activities: Mapping[str, Activity[..., Any]],
    slots: tuple[int, int],
    resident_max: int,
    labels: Labels = (),
) -> WorkerSettings:
    if not workflows and not activities:
        raise InvalidArgument("nothing to serve: this client has no workflows and no activities")
    return WorkerSettings(worker_id, task_queue, workflows, activities, *slots, resident_max, labels)


class Worker:
    """Keeps a session open: connects again with back-off whenever it is lost."""

    def __init__(
        self,
        transport: Transport,
        settings: WorkerSettings,
        converter: Converter,
        *,
        make_session: Callable[[WorkerSettings, Converter, Outcomes, TransportStream], Session] = Session,
    ) -> None:
        self._make_session = make_session
        self._transport = transport
        self._settings = settings
        self._converter = converter
        self._outcomes = Outcomes()
        self._session: Session | None = None
        self._is_draining = False
        self._backoff = Backoff(_BACKOFF_MAX_S)

    async def run(self, on_registered: Callable[[], None]) -> None:
        """Until it is cancelled, or has drained. `on_registered` is called after each registration.

        Raises:
            AetherError: The server does not want this worker, and will not.

        """
        while True:
            reason = "the server ended the session"
            try:
                await self._run_session(on_registered)
            except RpcError as error:
                if error.code in _FATAL:
                    raise error_from_status(error.code, error.message, error.details) from error
                reason = str(error)
            if not self._is_draining:
                wait_s = self._backoff.take()
                worker_id = self._settings.worker_id
                told = {"event": "session_lost", "fields": {"worker_id": worker_id, "again_in_s": round(wait_s, 1)}}
                _log.warning("worker %s: %s; again in %.1f s", worker_id, reason, wait_s, extra=told)
                await anyio.sleep(wait_s)
            if self._is_draining:
                # What it had in hand is gone, and it is to take nothing more.
                return

    async def _run_session(self, on_registered: Callable[[], None]) -> None:
        registered_at = math.inf

        def registered() -> None:
            nonlocal registered_at
            registered_at = anyio.current_time()
            on_registered()

        stream = await self._transport.open_stream(_PATH)
        self._session = self._make_session(self._settings, self._converter, self._outcomes, stream)
        try:
            await self._session.run(registered)
        except* RpcError as group:
            # One stream, so one way for it to end.
            failure = group.exceptions[0]
        else:
            return
        finally:
            self._session = None
            self._backoff.reset_if_lasting(registered_at)
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        raise failure

    async def drain(self, grace_s: float) -> None:
        """Take nothing new and bring to an end what is in hand, for at most `grace_s`."""
        self._is_draining = True
        if self._session is not None:
            with anyio.move_on_after(grace_s, shield=True):
                await self._session.drain()
