"""Requests judged, and answers as header blocks."""

import hpack
import pytest

from aether.wire.grpc import RequestParser, parse_answer, trailers_block, trailers_only_block
from aether.wire.metadata import percent_decode
from aether.wire.status import OK, Code, Status
from tests.conformance.wire_peer import ANSWER, REQUEST, with_fields

PARSE = RequestParser({"/t.S/Unary": "the method"}, 1_024)


def judge(**changes):
    return PARSE(with_fields(REQUEST, **changes))


def test_a_good_request_leads_to_its_method():
    head = judge(grpc_timeout=b"5S", x_a=b"1", grpc_encoding=b"gzip", user_agent=b"ua")
    assert (head.method, head.path, head.timeout_s, head.encoding) == ("the method", "/t.S/Unary", 5.0, b"gzip")
    assert dict(head.metadata) == {"x-a": "1", "user-agent": "ua"}
    assert not head.malformed
    assert head.refusal is None


@pytest.mark.parametrize("content_type", [b"application/grpc", b"application/grpc+proto", b"application/grpc;v=1"])
def test_every_grpc_content_type_is_taken(content_type):
    assert judge(content_type=content_type).method == "the method"


def test_identity_is_no_encoding():
    assert judge(grpc_encoding=b"identity").encoding == b""


@pytest.mark.parametrize(
    ("changes", "http", "code"),
    [
        ({"P_method": b"GET"}, 405, Code.INTERNAL),
        ({"content_type": None}, 415, Code.INTERNAL),
        ({"content_type": b"text/html"}, 415, Code.INTERNAL),
        ({"content_type": b"application/grpcfoo"}, 415, Code.INTERNAL),
        ({"te": None}, 400, Code.INTERNAL),
        ({"grpc_timeout": b"soon"}, 200, Code.INTERNAL),
        ({"grpc_encoding": b"snappy"}, 200, Code.UNIMPLEMENTED),
        ({"x_text": "\xfc".encode()}, 200, Code.INTERNAL),
        ({"x_raw_bin": b"!!"}, 200, Code.INTERNAL),
        ({"P_path": b"/t.S/Nothing"}, 200, Code.UNIMPLEMENTED),
        ({"P_path": b"/one"}, 200, Code.UNIMPLEMENTED),
        ({"P_path": b"/one/two/three"}, 200, Code.UNIMPLEMENTED),
        ({"P_path": b"no-slash"}, 200, Code.UNIMPLEMENTED),
        ({"x_long": b"x" * 1_024}, 431, Code.RESOURCE_EXHAUSTED),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_a_status(changes, http, code):
    head = judge(**changes)
    assert head.refusal is not None
    assert (head.http_status, head.refusal.code) == (http, code)
    assert head.method is None
    assert not head.malformed


def test_a_long_path_is_not_sent_back_whole():
    refusal = judge(P_path=b"/a.B/" + b"x" * 600).refusal
    assert refusal is not None
    assert len(refusal.message) < 300


@pytest.mark.parametrize(
    "changes",
    [
        {"P_method": None},
        {"P_scheme": None},
        {"P_path": None},
        {"P_path": b""},
        {"P_status": b"200"},
        {"te": b"gzip"},
        {"connection": b"close"},
        {"transfer_encoding": b"chunked"},
        {"upgrade": b"h2c"},
        {"Upper": b"x"},
        {"sp ace": b"x"},
        {"": b"x"},
        {"x_value": b"two\r\nlines"},
        {"x_value": b"nul\x00"},
        {"x_value": b" leading"},
        {"x_value": b"trailing\t"},
        {"host": b"elsewhere"},
    ],
)
def test_a_request_that_http2_forbids_is_malformed(changes):
    head = judge(**changes)
    assert head.malformed
    assert head.method is None


@pytest.mark.parametrize(
    "more",
    [
        [(b":path", b"/t.S/Unary")],
        [(b":authority", b"localhost")],
        [(b"te", b"trailers")],
        [(b"host", b"localhost"), (b"host", b"localhost")],
    ],
)
def test_what_may_come_once_is_malformed_when_it_comes_twice(more):
    assert PARSE([*REQUEST, *more]).malformed


def test_a_pseudo_field_after_others_is_malformed():
    assert PARSE([*REQUEST[1:], REQUEST[0]]).malformed


def test_host_may_stand_for_authority_or_repeat_it():
    assert judge(host=b"localhost").method == "the method"
    assert judge(P_authority=None, host=b"somewhere").method == "the method"
    assert judge(P_authority=None).method == "the method"


def decode(block):
    return {field[0]: field[1] for field in hpack.Decoder().decode(block)}


def test_trailers_of_ok():
    assert decode(trailers_block(OK)) == {"grpc-status": "0"}


def test_trailers_of_a_failure_escape_its_message():
    fields = decode(trailers_block(Status(Code.NOT_FOUND, "nö\n", b"\x01\x02"), b"\x00\x01x\x01y"))
    assert fields == {"grpc-status": "5", "grpc-message": "n%C3%B6%0A", "grpc-status-details-bin": "AQI", "x": "y"}


def test_trailers_stay_within_what_clients_take():
    block = trailers_block(Status(Code.INTERNAL, "ü" * 5_000, b"x" * 5_000))
    assert len(block) < 8_192
    fields = decode(block)
    assert "grpc-status-details-bin" not in fields
    assert percent_decode(fields["grpc-message"].encode()).ljust(5_000, "ü") == "ü" * 5_000
    assert len(trailers_block(Status(Code.INTERNAL, "ü" * 5_000, b"x" * 4_096))) < 8_192


def test_trailers_only_say_everything_at_once():
    fields = decode(trailers_only_block(Status(Code.INTERNAL, "no"), 415))
    assert fields == {":status": "415", "content-type": "application/grpc", "grpc-status": "13", "grpc-message": "no"}


def test_unimplemented_tells_which_encodings_there_are():
    fields = decode(trailers_only_block(Status(Code.UNIMPLEMENTED)))
    assert fields[":status"] == "200"
    assert fields["grpc-accept-encoding"] == "identity,gzip"


def test_the_start_of_an_answer():
    head = parse_answer([*ANSWER, (b"grpc-encoding", b"gzip"), (b"x-a", b"1")])
    assert (head.status, head.encoding, dict(head.metadata)) == (None, b"gzip", {"x-a": "1"})
    assert not head.is_trailers


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"grpc-status", b"0")], OK),
        ([(b"grpc-status", b"5"), (b"grpc-message", b"a%20b")], Status(5, "a b")),
        ([(b"grpc-status", b"5"), (b"grpc-status-details-bin", b"AQI")], Status(5, "", b"\x01\x02")),
        ([(b"grpc-status", b"5"), (b"grpc-status-details-bin", b"!")], Status(5)),
        ([(b"grpc-status", b"x")], Status(Code.UNKNOWN, "malformed grpc-status")),
        ([(b"grpc-status", b"1" * 10)], Status(Code.UNKNOWN, "malformed grpc-status")),
    ],
)
def test_the_end_of_an_answer(fields, status):
    head = parse_answer(fields)
    assert head.status == status
    assert head.is_trailers


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([(b":status", b"503")], Code.UNAVAILABLE),
        ([(b":status", b"200"), (b"content-type", b"text/html")], Code.UNKNOWN),
        ([*ANSWER, (b"grpc-encoding", b"snappy")], Code.INTERNAL),
        ([*ANSWER, (b"x-bin", b"!")], Code.INTERNAL),
        ([(b":status", b"404"), (b"grpc-status", b"8")], Code.RESOURCE_EXHAUSTED),
    ],
)
def test_an_answer_that_is_not_grpc_has_a_status_all_the_same(fields, code):
    status = parse_answer(fields).status
    assert status is not None
    assert status.code == code


@pytest.mark.parametrize("fields", [[(b":status", b"2x0")], [(b":status", b"20")], [(b":path", b"/")], [(b"A", b"b")]])
def test_a_malformed_answer_is_told_apart(fields):
    assert parse_answer(fields).malformed


def test_an_informational_answer_is_told_apart():
    assert parse_answer([(b":status", b"103"), (b"link", b"x")]).is_informational
