"""The part of `ClientService` that holds runs where they are, and lets them go on."""

from collections.abc import Callable
from functools import partial

import trio

from aether.core.effects import NotOpen, PauseChanged
from aether.core.inputs import PauseRun, ResumeRun
from aether.core.validate import check_name
from aether.errors import WorkflowClosed
from aether.model.limits import Limits
from aether.model.runs import RunState
from aether.server.actions import asked
from aether.server.archive import Archive
from aether.server.engine_loop import EngineLoop
from aether.server.readiness import Readiness
from aether.server.replies import find_closed, refuse, refuse_just_started, respond_later
from aether.server.requests import of_run, refusing
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import client_pb2 as pb

_SERVICE = "/aether.v1.ClientService/"
_Answer = Callable[[PauseChanged], pb.PauseResponse | pb.ResumeResponse]


class PauseService:
    def __init__(
        self, loop: EngineLoop, limits: Limits, archive: Archive, readiness: Readiness, nursery: trio.Nursery
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._archive = archive
        self._readiness = readiness
        self._nursery = nursery

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "PauseWorkflow", self.pause_workflow, "unary"),
            Method(_SERVICE + "ResumeWorkflow", self.resume_workflow, "unary"),
        ]

    @refusing
    def pause_workflow(self, call: Call, message: bytes) -> None:
        def answer(done: PauseChanged) -> pb.PauseResponse:
            return pb.PauseResponse(run_id=done.run_id, existing=done.existing)

        self._readiness.check_writable()
        request = of_run(pb.PauseRequest, self._limits, message)
        check_name(self._limits, request.reason, "reason", required=False)
        asked("pause", call, workflow_id=request.workflow_id)
        reply = partial(self._changed, call, answer)
        self._loop.post(PauseRun(reply, request.workflow_id, request.run_id, request.reason))

    @refusing
    def resume_workflow(self, call: Call, message: bytes) -> None:
        def answer(done: PauseChanged) -> pb.ResumeResponse:
            return pb.ResumeResponse(run_id=done.run_id, existing=done.existing)

        self._readiness.check_writable()
        request = of_run(pb.ResumeRequest, self._limits, message)
        asked("resume", call, workflow_id=request.workflow_id)
        self._loop.post(ResumeRun(partial(self._changed, call, answer), request.workflow_id, request.run_id))

    def _changed(self, call: Call, message_of: _Answer, answer: object) -> None:
        if isinstance(answer, PauseChanged):
            call.respond(message_of(answer).SerializeToString())
        elif isinstance(answer, NotOpen):
            self._nursery.start_soon(respond_later, call, partial(self._of_closed, answer))
        else:
            refuse(call, answer)

    async def _of_closed(self, closed: NotOpen) -> bytes:
        row = await self._archive.read(partial(find_closed, closed.workflow_id, closed.run_id))
        refuse_just_started(row)
        state = RunState(row.state).name
        raise WorkflowClosed(f"workflow {row.workflow_id!r} (run {row.run_id}) is {state} already")
