"""Codes, statuses and RpcError."""

import pytest

from aether.wire.status import OK, Code, RpcError, Status, code_from_http, code_from_reset, code_name


def test_an_rpc_error_says_code_and_message():
    error = RpcError(Code.NOT_FOUND, "no run r-1", b"\x01", is_unprocessed=True)
    assert str(error) == "NOT_FOUND: no run r-1"
    assert (error.code, error.message, error.details, error.is_unprocessed) == (5, "no run r-1", b"\x01", True)


def test_a_code_that_only_the_peer_knows_is_shown_as_a_number():
    assert code_name(77) == "CODE_77"
    assert str(RpcError(77, "odd")) == "CODE_77: odd"


def test_ok_is_zero_and_says_nothing():
    assert Status(0) == OK
    assert OK.message == ""


@pytest.mark.parametrize(
    ("http", "code"),
    [(401, Code.UNAUTHENTICATED), (503, Code.UNAVAILABLE), (404, Code.UNIMPLEMENTED), (418, Code.UNKNOWN)],
)
def test_http_statuses_map_as_grpc_says(http, code):
    assert code_from_http(http) == code


@pytest.mark.parametrize(("reset", "code"), [(7, Code.UNAVAILABLE), (8, Code.CANCELLED), (2, Code.INTERNAL)])
def test_resets_map_as_grpc_says(reset, code):
    assert code_from_reset(reset) == code
