"""What others are told of a call: how it ended, and what it is called."""

from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.status import Code, Status
from tests.conformance.wire_peer import RawClient


def test_a_request_is_named_as_its_client_names_it_or_by_where_it_came_in():
    client = RawClient()
    client.feed(client.request(1, P_path=b"/t.S/Hold", x_request_id=b"order-7"))
    client.feed(client.request(3, P_path=b"/t.S/Hold", x_request_id=b"x" * 101))
    client.feed(client.request(5, P_path=b"/t.S/Hold"))
    assert [call.request_id for call in client.calls] == ["order-7", "here/3", "here/5"]


def test_each_call_is_told_once_with_how_it_ended():
    client = RawClient()
    told: list[tuple[str, int, bool]] = []
    client.server.told = lambda path, code, began_at: told.append((path, code, began_at is not None))
    client.feed(client.request(1, b"hello"))
    client.feed(client.request(3, P_path=b"/t.S/Hold"))
    client.calls[-1].is_timed = False
    client.calls[-1].finish(Status(Code.NOT_FOUND, "no"))
    client.calls[-1].finish()
    client.feed(client.request(5, P_path=b"/t.S/Hold"), frames.rst_stream(5, ErrorCode.CANCEL))
    client.feed(client.request(7, P_path=b"/t.S/Nothing"))
    assert told == [
        ("/t.S/Unary", Code.OK, True),
        ("/t.S/Hold", Code.NOT_FOUND, False),
        ("/t.S/Hold", Code.CANCELLED, True),
        ("", Code.UNIMPLEMENTED, False),
    ]
