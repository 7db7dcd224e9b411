"""The services that gRPC tools expect of every server: health and reflection."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import trio
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError

from aether.errors import InvalidArgument
from aether.server.gate import Gate
from aether.server.readiness import Readiness
from aether.server.replies import refuse
from aether.wire.calls import Call, Method
from aether.wire.generated.grpc.health.v1 import health_pb2
from aether.wire.generated.grpc.reflection.v1 import reflection_pb2
from aether.wire.generated.grpc.reflection.v1alpha import reflection_pb2 as reflection_alpha_pb2
from aether.wire.status import Code, Status

SERVICES = (
    "aether.v1.ClientService",
    "aether.v1.WorkerService",
    "aether.v1.AdminService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
# How often it is looked for those who watch whether anything has changed; what has gone wrong stays so for longer.
_LOOK_S: Final = 1.0
_Health = health_pb2.HealthCheckResponse


class HealthService:
    """SERVING while requests that change something are taken."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        # What each watches, and what it was told last.
        self._watchers: dict[Call, tuple[str, int]] = {}
        self._watched = Gate()

    async def run(self) -> None:
        """Tell who watches of each change, for ever."""
        while True:
            while not self._watchers:
                await self._watched.wait()
            await trio.sleep(_LOOK_S)
            for call, (service, told) in list(self._watchers.items()):
                status = self._status(service)
                if status.status != told:
                    self._tell(call, service, status)

    def methods(self) -> list[Method]:
        return [
            Method("/grpc.health.v1.Health/Check", self.check, "unary"),
            Method("/grpc.health.v1.Health/Watch", self.watch, "unary"),
        ]

    def check(self, call: Call, message: bytes) -> None:
        try:
            service = health_pb2.HealthCheckRequest.FromString(message).service
        except DecodeError as fault:
            refuse(call, fault)
            return
        if service and service not in SERVICES:
            call.finish(Status(Code.NOT_FOUND, f"no service {service!r}"))
            return
        call.respond(self._status(service).SerializeToString())

    def watch(self, call: Call, message: bytes) -> None:
        try:
            service = health_pb2.HealthCheckRequest.FromString(message).service
        except DecodeError as fault:
            refuse(call, fault)
            return
        call.on_closed = lambda reason: self._unwatch(call)
        call.is_timed = False
        self._tell(call, service, self._status(service))
        self._watched.open()

    def _tell(self, call: Call, service: str, status: health_pb2.HealthCheckResponse) -> None:
        self._watchers[call] = service, status.status
        call.send(status.SerializeToString())

    def _unwatch(self, call: Call) -> None:
        self._watchers.pop(call, None)

    def drain(self) -> None:
        """Tell who watches, and let them go."""
        for call in list(self._watchers):
            call.send(_Health(status=_Health.NOT_SERVING).SerializeToString())
            call.finish()
        self._watchers.clear()

    def _status(self, service: str) -> health_pb2.HealthCheckResponse:
        if service and service not in SERVICES:
            return _Health(status=_Health.SERVICE_UNKNOWN)
        return _Health(status=_Health.NOT_SERVING if self._readiness.fault else _Health.SERVING)


def reflection_methods() -> list[Method]:
    """Both versions: grpcurl asks for the older one first."""
    return [
        Method(f"/grpc.reflection.{name}.ServerReflection/ServerReflectionInfo", partial(_reflect, module), "stream")
        for name, module in (("v1", reflection_pb2), ("v1alpha", reflection_alpha_pb2))
    ]


def _reflect(module: Any, call: Call) -> None:
    def on_message(message: bytes) -> None:
        try:
            request = module.ServerReflectionRequest.FromString(message)
        except DecodeError:
            refuse(call, InvalidArgument("not a ServerReflectionRequest"))
            return
        call.send(_reflection(module, request).SerializeToString())

    call.on_message = on_message
    call.on_half_close = call.finish


def _reflection(module: Any, request: Any) -> Any:
    response = module.ServerReflectionResponse(valid_host=request.host, original_request=request)
    pool = descriptor_pool.Default()
    kind = request.WhichOneof("message_request")
    try:
        if kind == "list_services":
            response.list_services_response.service.extend(
                [module.ServiceResponse(name=name) for name in sorted(SERVICES)]
            )
        elif kind == "file_by_filename":
            _add_files(response, pool.FindFileByName(request.file_by_filename))
        elif kind == "file_containing_symbol":
            _add_files(response, pool.FindFileContainingSymbol(request.file_containing_symbol))
        else:
            raise KeyError(kind)  # noqa: TRY301 - the same answer as for what the pool does not know
    except KeyError:
        response.error_response.error_code = int(Code.NOT_FOUND)
        response.error_response.error_message = "nothing of that name"
    return response


def _add_files(response: Any, file: Any) -> None:
    response.file_descriptor_response.file_descriptor_proto.extend(_serialised(file))


def _serialised(file: Any) -> Iterable[bytes]:
    """The file and all that it imports."""
    found: dict[str, bytes] = {}
    todo = [file]
    while todo:
        next_file = todo.pop()
        if next_file.name not in found:
            found[next_file.name] = next_file.serialized_pb
            todo.extend(next_file.dependencies)
    return found.values()
