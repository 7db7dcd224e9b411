"""The server's side told to stop: open calls finish, new ones go elsewhere."""

from aether.wire import frames
from tests.conformance.wire_peer import RawClient

KINDS_OF_ANSWER = [frames.HEADERS, frames.DATA, frames.HEADERS]


def kinds(got):
    return [frame.kind for frame in got]


def test_draining_without_calls_says_goodbye_at_once():
    client = RawClient()
    client.feed(client.request(1))
    client.server.drain()
    client.server.drain()
    assert not client.server.is_drained
    (goaway,) = client.read()
    assert (goaway.code, int.from_bytes(goaway.payload[:4], "big")) == (0, 1)
    assert client.server.is_drained


def test_draining_lets_open_calls_finish_and_takes_no_more():
    client = RawClient()
    call = client.open()
    client.server.drain()
    goaway, ping = client.read()
    assert int.from_bytes(goaway.payload[:4], "big") == frames.LAST_STREAM
    assert kinds(client.feed(client.request(3))) == KINDS_OF_ANSWER
    (final,) = client.feed(frames.ping(b"87654321", ack=True), frames.ping(ping.payload, ack=True))
    assert int.from_bytes(final.payload[:4], "big") == 3
    assert client.feed(frames.ping(ping.payload, ack=True)) == []
    assert client.feed(client.request(5)) == []
    call.respond(b"done")
    assert kinds(client.read())[:3] == KINDS_OF_ANSWER
    assert client.server.is_drained


def test_draining_what_is_closed_does_nothing():
    client = RawClient()
    client.link.lost("cut")
    client.server.drain()
    assert client.read() == []
