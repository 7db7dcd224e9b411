"""How services take a request apart: what is wrong with it ends the call, and everything about one run begins alike."""

import functools
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import DecodeError

from aether.core.validate import check_name
from aether.errors import AetherError
from aether.model.limits import Limits
from aether.server.replies import refuse
from aether.wire.calls import Call
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2

S = TypeVar("S")
Handler = Callable[[S, Call, bytes], None]
_OfRun = TypeVar(
    "_OfRun",
    client_pb2.GetStatusRequest,
    client_pb2.AwaitResultRequest,
    client_pb2.CancelRequest,
    client_pb2.PauseRequest,
    client_pb2.ResumeRequest,
    client_pb2.SignalRequest,
    client_pb2.ReadValueRequest,
    admin_pb2.GetHistoryRequest,
    admin_pb2.GetTimelineRequest,
    admin_pb2.GetStateAtRequest,
    admin_pb2.ExplainRequest,
    admin_pb2.ForkRequest,
)


def refusing(handler: Handler[S]) -> Handler[S]:
    """A handler that raises what is wrong with the request: the call ends with that."""

    @functools.wraps(handler)
    def handle(service: S, call: Call, message: bytes) -> None:
        try:
            handler(service, call, message)
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)

    return handle


def of_run(kind: type[_OfRun], limits: Limits, message: bytes) -> _OfRun:
    """The request, which names a run by its workflow id, and perhaps its run id. Raises what is wrong with it."""
    request = kind.FromString(message)
    check_name(limits, request.workflow_id, "workflow_id")
    check_name(limits, request.run_id, "run_id", required=False)
    return request
