import pytest
from attrs.exceptions import FrozenInstanceError

from aether.model.payload import Failure, Payload, error_name


def test_a_payload_is_json_unless_it_says_otherwise():
    assert Payload(b"{}").encoding == ""


def test_a_payload_is_never_taken_for_nothing_even_if_it_is_empty():
    assert Payload(b"")


def test_a_failure_holds_the_whole_chain_and_is_not_changed():
    cause = Failure("KeyError", "'x'")
    failure = Failure("ValueError", "boom", causes=(cause,))
    assert failure.causes[0].type == "KeyError"
    assert hash(failure) == hash(Failure("ValueError", "boom", causes=(Failure("KeyError", "'x'"),)))
    with pytest.raises(FrozenInstanceError):
        failure.type = "Other"  # type: ignore[misc]


def failed(kind: str, *causes: Failure, group: bool = False) -> Failure:
    return Failure(kind, "", "", causes, group)


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (failed("Boom"), "Boom"),
        (failed("Rejected", failed("Declined")), "Rejected"),
        (failed("StepFailed", failed("Declined")), "Declined"),
        (failed("ChildFailed", failed("ActivityFailed", failed("Declined", failed("OSError")))), "Declined"),
        (failed("ActivityFailed"), "ActivityFailed"),
        (failed("ExceptionGroup", failed("StepFailed", failed("Boom")), failed("Boom"), group=True), "Boom"),
        (failed("ExceptionGroup", failed("Boom"), failed("Bang"), group=True), "ExceptionGroup"),
        (failed("ExceptionGroup", group=True), "ExceptionGroup"),
    ],
)
def test_the_name_of_an_error_is_that_of_what_went_wrong_and_not_where(failure, name):
    assert error_name(failure) == name
