"""The part of `AdminService` that shows task queues, pauses them and limits what they hand out."""

from functools import partial

from aether.core.gates import QueueState
from aether.core.inputs import SetQueue
from aether.core.validate import check_name
from aether.core.views import queue_states
from aether.errors import InvalidArgument
from aether.model.limits import Limits
from aether.server.actions import asked
from aether.server.engine_loop import EngineLoop
from aether.server.readiness import Readiness
from aether.server.replies import refuse
from aether.server.requests import refusing
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_SERVICE = "/aether.v1.AdminService/"


class QueueService:
    def __init__(self, loop: EngineLoop, limits: Limits, readiness: Readiness) -> None:
        self._loop = loop
        self._limits = limits
        self._readiness = readiness

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "ListQueues", self.list_queues, "unary"),
            Method(_SERVICE + "UpdateQueue", self.update_queue, "unary"),
        ]

    def list_queues(self, call: Call, message: bytes) -> None:
        queues = [_info(each) for each in queue_states(self._loop.engine.state)]
        call.respond(pb.ListQueuesResponse(queues=queues).SerializeToString())

    @refusing
    def update_queue(self, call: Call, message: bytes) -> None:
        self._readiness.check_writable()
        request = pb.UpdateQueueRequest.FromString(message)
        check_name(self._limits, request.task_queue, "task_queue")
        check_name(self._limits, request.reason, "reason", required=False)
        if request.activity_limit > self._limits.slots_max:
            raise InvalidArgument(
                f"activity_limit is {request.activity_limit}; at most {self._limits.slots_max}",
                field="activity_limit",
            )
        asked("update-queue", call, task_queue=request.task_queue)
        self._loop.post(
            SetQueue(
                partial(_answer, call),
                request.task_queue,
                request.paused if request.HasField("paused") else None,
                request.reason,
                request.activity_limit if request.HasField("activity_limit") else None,
            )
        )


def _answer(call: Call, answer: object) -> None:
    if isinstance(answer, QueueState):
        call.respond(_info(answer).SerializeToString())
    else:
        refuse(call, answer)


def _info(queue: QueueState) -> pb.QueueInfo:
    return pb.QueueInfo(
        task_queue=queue.task_queue,
        paused=queue.paused,
        reason=queue.reason,
        activity_limit=queue.activity_limit,
        workers=queue.workers,
        runs_waiting=queue.runs_waiting,
        activities_waiting=queue.activities_waiting,
        runs_active=queue.runs_active,
        activities_active=queue.activities_active,
    )
