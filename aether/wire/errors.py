"""Errors of `aether.errors` as gRPC statuses, and back.

The peer is told the gRPC code, a sentence, and two details of `google.rpc`: an ErrorInfo whose reason is the class
name, so that our SDK raises the same class again, and a BadRequest that names the field of a wrong request.
"""

from aether import errors
from aether.wire.status import Code, Status

_DOMAIN = "aether"

CODES: dict[type[errors.AetherError], Code] = {
    errors.InvalidArgument: Code.INVALID_ARGUMENT,
    errors.LimitExceeded: Code.RESOURCE_EXHAUSTED,
    errors.WorkflowNotFound: Code.NOT_FOUND,
    errors.WorkflowAlreadyExists: Code.ALREADY_EXISTS,
    errors.WorkflowClosed: Code.FAILED_PRECONDITION,
    errors.StaleLease: Code.ABORTED,
    errors.SessionExpired: Code.UNAUTHENTICATED,
    errors.ServerUnavailable: Code.UNAVAILABLE,
    errors.StorageUnavailable: Code.UNAVAILABLE,
    errors.DeadlineExceeded: Code.DEADLINE_EXCEEDED,
    errors.ServerFault: Code.INTERNAL,
}
_BY_NAME = {kind.__name__: kind for kind in CODES}
_BY_CODE: dict[int, type[errors.AetherError]] = {
    Code.INVALID_ARGUMENT: errors.InvalidArgument,
    Code.NOT_FOUND: errors.WorkflowNotFound,
    Code.ALREADY_EXISTS: errors.WorkflowAlreadyExists,
    Code.RESOURCE_EXHAUSTED: errors.LimitExceeded,
    Code.ABORTED: errors.StaleLease,
    Code.UNAVAILABLE: errors.ServerUnavailable,
    Code.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}


def status_of(error: errors.AetherError) -> Status:
    """What the peer is told of `error`."""
    # Imported here because only errors need it.
    from google.rpc import error_details_pb2, status_pb2

    code = code_of(error)
    message = str(error)
    status = status_pb2.Status(code=int(code), message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=type(error).__name__, domain=_DOMAIN))
    if isinstance(error, errors.InvalidArgument) and error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=message)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return Status(code, message, status.SerializeToString())


def code_of(error: errors.AetherError) -> Code:
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), Code.INTERNAL)


def error_from_refusal(code: int, reason: str, message: str, field: str = "") -> errors.AetherError:
    """The error that a peer meant by a class name, or, where it named none that is known, by its code."""
    kind = _BY_NAME.get(reason) or _BY_CODE.get(code, errors.ServerFault)
    if kind is errors.InvalidArgument:
        return errors.InvalidArgument(message, field=field)
    return kind(message)


def error_from_status(code: int, message: str, details: bytes) -> errors.AetherError:
    """The error behind a status that is not OK; `details` is a serialised `google.rpc.Status` or empty."""
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    reason = field = ""
    try:
        for detail in status_pb2.Status.FromString(details).details:
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info) and info.domain == _DOMAIN:
                reason = info.reason
            elif detail.Unpack(bad) and bad.field_violations:
                field = bad.field_violations[0].field
    except DecodeError:
        # Whatever a proxy made of them: the code and the sentence are left.
        pass
    return error_from_refusal(code, reason, message, field)
