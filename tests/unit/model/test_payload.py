import pytest
from attrs.exceptions import FrozenInstanceError

from aether.model.payload import Failure, Payload


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
