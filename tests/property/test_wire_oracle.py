"""Both of our sides against h2 as the other: however it is cut, h2 objects to nothing and all arrives."""

from __future__ import annotations

from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
from hypothesis import given, settings
from hypothesis import strategies as st

from aether.wire.calls import Call, Method, ServerLink
from aether.wire.client import ClientCall, ClientLink
from aether.wire.limits import TransportLimits
from aether.wire.status import Code
from tests.conformance.wire_peer import ANSWER, REQUEST, TRAILERS, message, with_fields

LIMITS = TransportLimits(stream_window=70_000, connection_window=100_000, outbound_mark=2_000)
sizes = st.sampled_from([0, 1, 5, 100, 5_000, 20_000, 70_000])
conversations = st.lists(st.lists(sizes, max_size=4), min_size=1, max_size=4)
cuts = st.lists(st.integers(1, 3_000), min_size=1, max_size=20)
windows = st.sampled_from([0, 1, 1_000, 65_535, 1_000_000])


def pieces(data: bytes, sizes_of_pieces: list[int]) -> list[bytes]:
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes_of_pieces[turn % len(sizes_of_pieces)] if len(data) < 50_000 else 7_001
        found.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return found


def pull_all(link: ServerLink | ClientLink) -> bytes:
    out = b""
    while data := link.pull():
        out += data
    return out


def echo(call: Call) -> None:
    call.on_message = call.send
    call.on_half_close = call.finish


class H2Peer:
    """h2 as one side: sends what is queued as its windows allow, credits what it gets at once."""

    def __init__(self, *, client: bool, window: int) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.unsent: dict[int, bytes] = {}
        self.endings: dict[int, list[tuple[bytes, bytes]]] = {}
        self.got: dict[int, bytes] = {}
        self.fields: dict[int, dict[bytes, bytes]] = {}
        self.ended: set[int] = set()

    def receive(self, data: bytes) -> list[h2.events.Event]:
        events = self.h2.receive_data(data)
        fed: set[int] = set()
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.got[event.stream_id] = self.got.get(event.stream_id, b"") + event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                fed.add(event.stream_id)
            elif isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived | h2.events.TrailersReceived):
                self.fields.setdefault(event.stream_id, {}).update(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated), event
        for stream in fed - self.ended:
            self.h2.increment_flow_control_window(500, stream)
        return events

    def push(self) -> None:
        for stream, data in list(self.unsent.items()):
            while self.unsent[stream]:
                room = min(self.h2.local_flow_control_window(stream), 9_000)
                if room <= 0:
                    break
                self.h2.send_data(stream, self.unsent[stream][:room])
                self.unsent[stream] = self.unsent[stream][room:]
            if not self.unsent[stream]:
                del self.unsent[stream]
                ending = self.endings.pop(stream, None)
                if ending is None:
                    self.h2.end_stream(stream)
                else:
                    self.h2.send_headers(stream, ending, end_stream=True)
            del data


@settings(deadline=None, max_examples=60)
@given(conversations, cuts, cuts, windows)
def test_h2_as_client_gets_everything_back_from_our_server(talks, in_cuts, out_cuts, window):
    method = Method("/t.S/Stream", echo, "stream")
    server = ServerLink({method.path: method}, LIMITS, 0.0)
    peer = H2Peer(client=True, window=window)
    streams = {}
    for number, talk in enumerate(talks):
        stream = 1 + 2 * number
        peer.h2.send_headers(stream, with_fields(REQUEST, P_path=b"/t.S/Stream"))
        streams[stream] = b"".join(message(bytes([number]) * size) for size in talk)
        peer.unsent[stream] = streams[stream]
        if not window:
            peer.h2.increment_flow_control_window(1_000, stream)
    for _ in range(5_000):
        peer.push()
        for piece in pieces(peer.h2.data_to_send(), in_cuts):
            server.feed(piece, 0.0)
        for piece in pieces(pull_all(server), out_cuts):
            peer.receive(piece)
        if peer.ended == set(streams):
            break
    assert peer.ended == set(streams)
    assert {stream: peer.got.get(stream, b"") for stream in streams} == streams
    assert all(fields[b"grpc-status"] == b"0" for fields in peer.fields.values())
    assert server.streams == {}
    assert (server.queued, server.partial_bytes) == (0, 0)


@settings(deadline=None, max_examples=60)
@given(conversations, cuts, cuts, windows)
def test_h2_as_server_gets_everything_from_our_client_and_back(talks, in_cuts, out_cuts, window):
    client = ClientLink(LIMITS, 0.0, authority="a:1", scheme="http")
    peer = H2Peer(client=False, window=window)
    client.feed(peer.h2.data_to_send(), 0.0)
    calls: dict[int, tuple[ClientCall, list[bytes], list[bytes]]] = {}
    for number, talk in enumerate(talks):
        call = client.open("/t.S/Stream", [("x-n", str(number))])
        sent = [bytes([number]) * size for size in talk]
        for content in sent:
            call.send(content)
        call.half_close()
        calls[call.stream_id] = (call, sent, [])
    for _ in range(5_000):
        for piece in pieces(pull_all(client), out_cuts):
            for event in peer.receive(piece):
                if isinstance(event, h2.events.RequestReceived):
                    peer.h2.send_headers(event.stream_id, ANSWER)
                    if not window:
                        peer.h2.increment_flow_control_window(1_000, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    peer.unsent[event.stream_id] = peer.got.get(event.stream_id, b"")
                    peer.endings[event.stream_id] = list(TRAILERS)
        peer.push()
        for piece in pieces(peer.h2.data_to_send(), in_cuts):
            client.feed(piece, 0.0)
        for call, _, taken in calls.values():
            taken.extend(call.take())
        if not client.streams:
            break
    for call, sent, got in calls.values():
        assert got == sent
        assert call.status is not None
        assert call.status.code == Code.OK
    assert (client.queued, client.partial_bytes) == (0, 0)


@settings(deadline=None, max_examples=60)
@given(conversations, st.integers(1, 50))
def test_our_own_sides_understand_each_other_octet_by_octet(talks, size):
    method = Method("/t.S/Stream", echo, "stream")
    server = ServerLink({method.path: method}, LIMITS, 0.0)
    client = ClientLink(LIMITS, 0.0, authority="a:1", scheme="http")
    calls = []
    for talk in talks:
        call = client.open("/t.S/Stream")
        sent = [b"x" * (length % 3_000) for length in talk]
        for content in sent:
            call.send(content)
        call.half_close()
        calls.append((call, sent))
    for _ in range(1_000):
        to_server, to_client = pull_all(client), pull_all(server)
        if not (to_server or to_client):
            break
        for at in range(0, len(to_server), size):
            server.feed(to_server[at : at + size], 0.0)
        for at in range(0, len(to_client), size):
            client.feed(to_client[at : at + size], 0.0)
    for call, sent in calls:
        assert call.messages == sent
        assert call.status is not None
        assert call.status.code == Code.OK


def transcript(talks: list[list[int]]) -> tuple[bytes, bytes]:
    """What a client and a server say to each other, each in one piece."""
    method = Method("/t.S/Stream", echo, "stream")
    server = ServerLink({method.path: method}, TransportLimits(), 0.0)
    client = ClientLink(TransportLimits(), 0.0, authority="a:1", scheme="http")
    for talk in talks:
        call = client.open("/t.S/Stream", [("x-a", "b")], timeout_s=5)
        for length in talk:
            call.send(b"x" * (length % 300))
        call.half_close()
    asked = pull_all(client)
    server.feed(asked, 0.0)
    return asked, pull_all(server)


def note_end(call: ClientCall, ends: list[int]) -> Callable[[], None]:
    def note() -> None:
        if call.status is not None:
            ends.append(call.stream_id)

    return note


mutations = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255), st.sampled_from("xid")), max_size=8)


def mutate(data: bytes, changes: list[tuple[int, int, str]]) -> bytes:
    made = bytearray(data)
    for at, octet, kind in changes:
        place = at % len(made)
        if kind == "x":
            made[place] ^= octet
        elif kind == "i":
            made[place:place] = bytes([octet])
        else:
            del made[place]
    return bytes(made)


@settings(deadline=None, max_examples=300)
@given(conversations, mutations, st.integers(1, 4_000))
def test_no_octets_whatever_crash_the_server_or_end_a_call_twice(talks, changes, size):
    closed: list[int] = []
    opened: list[Call] = []
    failures: list[Exception] = []

    def keep(call: Call) -> None:
        opened.append(call)
        call.on_message = call.send
        call.on_half_close = call.finish
        call.on_closed = lambda reason: closed.append(call.stream_id)

    method = Method("/t.S/Stream", keep, "stream")
    server = ServerLink({method.path: method}, LIMITS, 0.0, report=lambda call, error: failures.append(error))
    data = mutate(transcript(talks)[0], changes)
    for at in range(0, len(data), size):
        server.feed(data[at : at + size], 0.0)
        pull_all(server)
    server.on_alarm(3.0)
    server.on_alarm(1_000.0)
    pull_all(server)
    server.lost("cut")
    assert len(closed) == len(set(closed))
    assert server.streams == {}
    assert (server.queued, server.partial_bytes) == (0, 0)
    assert failures == []
    assert all(call._is_closed for call in opened)


@settings(deadline=None, max_examples=300)
@given(conversations, mutations, st.integers(1, 4_000))
def test_no_octets_whatever_crash_the_client_or_leave_a_call_open(talks, changes, size):
    client = ClientLink(LIMITS, 0.0, authority="a:1", scheme="http")
    ends: list[int] = []
    calls = []
    for talk in talks:
        call = client.open("/t.S/Stream", [("x-a", "b")], timeout_s=5)
        calls.append(call)
        call.on_event = note_end(call, ends)
        for length in talk:
            call.send(b"x" * (length % 300))
        call.half_close()
    pull_all(client)
    data = mutate(transcript(talks)[1], changes)
    for at in range(0, len(data), size):
        client.feed(data[at : at + size], 0.0)
        pull_all(client)
        for call in calls:
            call.take()
    client.lost("cut")
    assert all(call.status is not None for call in calls)
    assert len(ends) == len(set(ends)) == len(calls)
    assert (client.queued, client.partial_bytes) == (0, 0)
