import inspect

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from aether import errors
from aether.wire.errors import CODES, code_of, error_from_refusal, error_from_status, status_of
from aether.wire.status import Code

OUR_OWN = {errors.AetherError, errors.SettingsError, errors.NonDeterminism, errors.RunError}


def sent(error: errors.AetherError) -> errors.AetherError:
    status = status_of(error)
    return error_from_status(status.code, status.message, status.details)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_an_error_comes_out_as_the_class_it_went_in_as(kind):
    back = sent(kind("what happened"))
    assert type(back) is kind
    assert str(back) == "what happened"
    assert back.is_retryable == kind.is_retryable


def test_every_error_that_a_peer_may_see_has_a_code():
    public = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.AetherError)}
    stay_here = {kind for kind in public if issubclass(kind, tuple(OUR_OWN - {errors.AetherError}))}
    assert public - stay_here - {errors.AetherError} == set(CODES)


def test_a_wrong_request_names_its_field():
    back = sent(errors.InvalidArgument("path x is no path", field="path"))
    assert isinstance(back, errors.InvalidArgument)
    assert back.field == "path"
    details = status_pb2.Status.FromString(status_of(errors.InvalidArgument("no field")).details).details
    assert len(details) == 1


def test_an_error_without_a_code_of_its_own_has_that_of_its_kind_or_is_our_fault():
    class Narrower(errors.LimitExceeded):
        pass

    assert code_of(Narrower("x")) is Code.RESOURCE_EXHAUSTED
    assert code_of(errors.NonDeterminism("x")) is Code.INTERNAL
    assert type(sent(Narrower("x"))) is errors.LimitExceeded


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.INVALID_ARGUMENT, errors.InvalidArgument),
        (Code.NOT_FOUND, errors.WorkflowNotFound),
        (Code.ALREADY_EXISTS, errors.WorkflowAlreadyExists),
        (Code.RESOURCE_EXHAUSTED, errors.LimitExceeded),
        (Code.ABORTED, errors.StaleLease),
        (Code.UNAVAILABLE, errors.ServerUnavailable),
        (Code.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
        (Code.UNIMPLEMENTED, errors.ServerFault),
        (77, errors.ServerFault),
    ],
)
def test_an_error_of_a_stranger_is_known_by_its_code(code, kind):
    assert type(error_from_status(code, "from a proxy", b"")) is kind
    assert type(error_from_refusal(code, "SomethingElse", "from another server")) is kind


def test_a_class_name_of_another_domain_is_not_ours():
    packed = status_pb2.Status()
    packed.details.add().Pack(error_details_pb2.ErrorInfo(reason="LimitExceeded", domain="googleapis.com"))
    packed.details.add().Pack(error_details_pb2.BadRequest())
    packed.details.add().Pack(error_details_pb2.RetryInfo())
    back = error_from_status(Code.NOT_FOUND, "x", packed.SerializeToString())
    assert type(back) is errors.WorkflowNotFound


def test_details_that_can_not_be_read_leave_the_code_and_the_sentence():
    broken = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    damaged = status_pb2.Status(details=[broken]).SerializeToString()
    for details in (b"\xff\xff\xff", damaged):
        back = error_from_status(Code.ABORTED, "too late", details)
        assert type(back) is errors.StaleLease
        assert str(back) == "too late"


def test_details_before_those_that_can_not_be_read_count():
    packed = status_pb2.Status()
    packed.details.add().Pack(error_details_pb2.ErrorInfo(reason="SessionExpired", domain="aether"))
    packed.details.append(any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff\xff"))
    assert type(error_from_status(Code.UNAUTHENTICATED, "x", packed.SerializeToString())) is errors.SessionExpired
