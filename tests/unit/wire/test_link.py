"""What both sides of a connection have in common: frames judged, windows credited, silence noticed."""

import math
import struct

import pytest

from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.limits import TransportLimits
from aether.wire.link import Link
from aether.wire.stream import Stream
from tests.conformance.wire_peer import REQUEST, RawClient, RawServer, message

PING = frames.ping(b"12345678")


def head(kind, flags, stream, size):
    return struct.pack(">IBI", size << 8 | kind, flags, stream)


def assert_goaway(client, got, code):
    assert client.link.is_closed
    assert (got[-1].kind, got[-1].code) == (frames.GOAWAY, code)


def test_settings_are_acknowledged_and_pings_answered():
    client = RawClient()
    got = client.feed(frames.settings([(0x99, 5)]), PING)
    assert [(frame.kind, frame.flags) for frame in got] == [(frames.SETTINGS, 1), (frames.PING, 1)]
    assert got[1].payload == b"12345678"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (head(frames.DATA, 0, 0, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.DATA, 0, 9, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.DATA, frames.PADDED, 9, 0), ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.DATA, frames.PADDED, 9, 2) + b"\x02x", ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 4, 0, 1) + b"\x82", ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 4, 2, 1) + b"\x82", ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 4, 1, 1) + b"\x80", ErrorCode.COMPRESSION_ERROR),
        (head(frames.HEADERS, 4 | frames.HAS_PRIORITY, 1, 4) + b"1234", ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.HEADERS, 4 | frames.PADDED, 1, 1) + b"\x01", ErrorCode.PROTOCOL_ERROR),
        (head(frames.PRIORITY, 0, 0, 5) + b"12345", ErrorCode.PROTOCOL_ERROR),
        (head(frames.PRIORITY, 0, 1, 4) + b"1234", ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.RST_STREAM, 0, 1, 3) + b"123", ErrorCode.FRAME_SIZE_ERROR),
        (frames.rst_stream(0, 8), ErrorCode.PROTOCOL_ERROR),
        (frames.rst_stream(1, 8), ErrorCode.PROTOCOL_ERROR),
        (head(frames.SETTINGS, 0, 1, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.SETTINGS, 0, 0, 5) + b"12345", ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.SETTINGS, frames.ACK, 0, 6) + b"123456", ErrorCode.FRAME_SIZE_ERROR),
        (frames.settings([(frames.SETTING_WINDOW, 2**31)]), ErrorCode.FLOW_CONTROL_ERROR),
        (frames.settings([(frames.SETTING_FRAME, 16_383)]), ErrorCode.PROTOCOL_ERROR),
        (frames.settings([(frames.SETTING_FRAME, 2**24)]), ErrorCode.PROTOCOL_ERROR),
        (frames.settings([(frames.SETTING_PUSH, 2)]), ErrorCode.PROTOCOL_ERROR),
        (head(frames.PUSH_PROMISE, 4, 1, 4) + b"1234", ErrorCode.PROTOCOL_ERROR),
        (head(frames.PING, 0, 1, 8) + b"12345678", ErrorCode.PROTOCOL_ERROR),
        (head(frames.PING, 0, 0, 7) + b"1234567", ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.GOAWAY, 0, 1, 8) + b"12345678", ErrorCode.PROTOCOL_ERROR),
        (head(frames.GOAWAY, 0, 0, 7) + b"1234567", ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.WINDOW_UPDATE, 0, 0, 3) + b"123", ErrorCode.FRAME_SIZE_ERROR),
        (frames.window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
        (frames.window_update(0, frames.MAX_WINDOW), ErrorCode.FLOW_CONTROL_ERROR),
        (frames.window_update(9, 1), ErrorCode.PROTOCOL_ERROR),
        (head(frames.CONTINUATION, 4, 1, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 0, 1, 0) + PING, ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 0, 1, 0) + head(0xFF, 0, 1, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.HEADERS, 0, 1, 0) + head(frames.CONTINUATION, 4, 3, 0), ErrorCode.PROTOCOL_ERROR),
        (head(frames.DATA, 0, 1, 16_385), ErrorCode.FRAME_SIZE_ERROR),
        (head(frames.DATA, 0, 1, 16_385) + b"x" * 16_385, ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_what_http2_forbids_ends_the_connection_with_its_code(data, code):
    client = RawClient()
    got = client.feed(data)
    assert_goaway(client, got, code)
    assert client.feed(PING) == []


def test_unknown_frames_priorities_and_goaway_of_a_client_are_ignored():
    client = RawClient()
    got = client.feed(
        head(0x20, 0, 0, 3) + b"abc", head(frames.PRIORITY, 0, 5, 5) + b"12345", frames.goaway(0, 0), PING
    )
    assert [frame.kind for frame in got] == [frames.PING]


def test_settings_that_are_allowed_are_applied():
    client = RawClient(settings=[(frames.SETTING_PUSH, 1), (frames.SETTING_FRAME, 16_384), (frames.SETTING_WINDOW, 5)])
    assert client.link.peer_window == 5
    assert not client.link.is_closed


def test_a_window_that_settings_make_too_large_ends_the_connection():
    client = RawClient()
    client.open()
    client.feed(frames.window_update(1, frames.MAX_WINDOW - frames.DEFAULT_WINDOW))
    got = client.feed(frames.settings([(frames.SETTING_WINDOW, frames.DEFAULT_WINDOW + 1)]))
    assert_goaway(client, got, ErrorCode.FLOW_CONTROL_ERROR)


@pytest.mark.parametrize(
    ("credit", "code"), [(0, ErrorCode.PROTOCOL_ERROR), (frames.MAX_WINDOW, ErrorCode.FLOW_CONTROL_ERROR)]
)
def test_a_bad_window_update_ends_its_stream_only(credit, code):
    client = RawClient()
    client.open()
    got = client.feed(frames.window_update(1, credit), PING)
    assert [frame.kind for frame in got] == [frames.RST_STREAM, frames.PING]
    assert got[0].code == code
    assert client.closed == [(1, "reset")]


def test_frames_are_understood_however_they_are_cut():
    whole = frames.PREFACE + frames.settings(()) + PING
    client = RawClient(greet=False)
    got = []
    for octet in whole:
        got += client.feed(bytes([octet]))
    assert [frame.kind for frame in got] == [frames.SETTINGS, frames.WINDOW_UPDATE, frames.SETTINGS, frames.PING]


def test_padding_and_priority_are_taken_off():
    client = RawClient()
    block = client.block(REQUEST)
    padded = b"\x03" + b"\x00\x00\x00\x00\x10" + block + b"pad"
    flags = frames.PADDED | frames.HAS_PRIORITY | frames.END_HEADERS
    data = b"\x04" + message(b"hello") + b"pads"
    got = client.feed(
        frames.frame(frames.HEADERS, flags, 1, padded),
        frames.frame(frames.DATA, frames.PADDED | frames.END_STREAM, 1, data),
    )
    assert [frame.payload for frame in got if frame.kind == frames.DATA] == [message(b"hello")]


def test_priority_alone_is_taken_off():
    client = RawClient()
    flags = frames.HAS_PRIORITY | frames.END_HEADERS
    client.feed(frames.frame(frames.HEADERS, flags, 1, b"\x00\x00\x00\x00\x10" + client.block(REQUEST)))
    assert list(client.link.streams) == [1]


def test_padding_alone_is_taken_off():
    client = RawClient()
    padded = b"\x01" + client.block(REQUEST) + b"p"
    client.feed(frames.frame(frames.HEADERS, frames.PADDED | frames.END_HEADERS, 1, padded))
    assert list(client.link.streams) == [1]


def test_frames_that_cross_the_end_of_their_stream_are_ignored():
    client = RawClient()
    client.open().finish()
    client.read()
    late = (frames.rst_stream(1, ErrorCode.CANCEL), frames.window_update(1, 5), client.data(1, b"x"))
    assert client.feed(*late) == []
    assert not client.link.is_closed


def test_a_header_block_in_many_frames_is_one_block():
    client = RawClient()
    block = client.block(REQUEST)
    cut = len(block) // 2
    got = client.feed(
        frames.frame(frames.HEADERS, 0, 1, block[:cut]),
        frames.frame(frames.CONTINUATION, 0, 1, block[cut:]),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, b""),
        client.data(1, message(b"x"), end=True),
    )
    assert [frame.kind for frame in got] == [frames.HEADERS, frames.DATA, frames.HEADERS]


@pytest.mark.parametrize("size", [0, 16_000])
def test_continuation_without_end_ends_the_connection(size):
    client = RawClient()
    more = frames.frame(frames.CONTINUATION, 0, 1, b"x" * size)
    got = client.feed(frames.frame(frames.HEADERS, 0, 1, b""), more * 17)
    assert_goaway(client, got, ErrorCode.ENHANCE_YOUR_CALM)


def test_a_header_list_far_too_large_ends_the_connection():
    client = RawClient(limits=TransportLimits(header_block=2_000))
    got = client.feed(client.headers(1, [*REQUEST, *[(b"x", b"y" * 100)] * 20]))
    assert_goaway(client, got, ErrorCode.ENHANCE_YOUR_CALM)


def test_what_is_received_is_credited_when_half_of_the_window_is_used():
    limits = TransportLimits(connection_window=100_000, stream_window=1_000_000)
    client = RawClient(limits=limits)
    client.open()
    chunk = client.data(1, b"\x00\x00\x3f\x00\x00" + b"x" * 9_995)
    assert client.feed(chunk * 5) == []
    (update,) = client.feed(client.data(1, b"x" * 10_000))
    assert (update.kind, update.stream, update.code) == (frames.WINDOW_UPDATE, 0, 60_000)


def test_aborted_uploads_are_credited_as_well():
    client = RawClient(limits=TransportLimits(connection_window=100_000))
    credited = 0
    for stream in range(1, 201, 2):
        got = client.feed(
            client.headers(stream, REQUEST),
            frames.rst_stream(stream, ErrorCode.CANCEL),
            client.data(stream, b"x" * 10_000),
        )
        credited += sum(frame.code for frame in got if frame.kind == frames.WINDOW_UPDATE)
    assert 100 * 10_000 - credited <= 50_000
    assert not client.link.is_closed


def test_more_than_the_connection_window_ends_the_connection():
    client = RawClient(limits=TransportLimits(connection_window=70_000, stream_window=1_000_000))
    client.open()
    client.link.receive_window = 5_000
    got = client.feed(client.data(1, b"x" * 6_000))
    assert_goaway(client, got, ErrorCode.FLOW_CONTROL_ERROR)


def test_more_than_the_stream_window_ends_the_stream_only():
    client = RawClient(limits=TransportLimits(stream_window=10_000))
    client.open()
    client.link.streams[1].receive_window = 5_000
    got = client.feed(client.data(1, b"x" * 6_000), PING)
    assert [(frame.kind, frame.stream) for frame in got] == [(frames.RST_STREAM, 1), (frames.PING, 0)]
    assert got[0].code == ErrorCode.FLOW_CONTROL_ERROR
    assert client.closed == [(1, "reset")]


@pytest.mark.parametrize(
    ("limits", "flood"),
    [
        (TransportLimits(pings=50), PING),
        (TransportLimits(settings=50), frames.settings(())),
        (TransportLimits(settings=50), frames.SETTINGS_ACK),
        (TransportLimits(noise=50), frames.window_update(0, 1)),
        (TransportLimits(noise=50), head(0xEE, 0, 0, 0)),
        (TransportLimits(noise=50), frames.goaway(0, 0)),
        (TransportLimits(noise=50), head(frames.PRIORITY, 0, 1, 5) + b"12345"),
        (TransportLimits(noise=50), head(frames.DATA, 0, 1, 0)),
        (TransportLimits(noise=50), head(frames.DATA, 0, 3, 1) + b"x"),
    ],
)
def test_floods_end_the_connection(limits, flood):
    client = RawClient(limits=limits)
    client.open()
    client.feed(client.headers(3, REQUEST), frames.rst_stream(3, 8))
    got = client.feed(flood * 60)
    assert_goaway(client, got, ErrorCode.ENHANCE_YOUR_CALM)
    assert client.closed[-1] == (1, "lost")


def test_opening_and_resetting_without_end_ends_the_connection():
    client = RawClient(limits=TransportLimits(resets=50))
    data = [client.headers(stream, REQUEST) + frames.rst_stream(stream, 8) for stream in range(1, 201, 2)]
    got = client.feed(*data)
    assert_goaway(client, got, ErrorCode.ENHANCE_YOUR_CALM)
    assert client.link.streams == {}


def test_who_gives_up_waiting_again_and_again_is_no_flood():
    client = RawClient(limits=TransportLimits(resets=50, lasting_s=0.5))
    for first in range(1, 801, 200):
        streams = range(first, first + 200, 2)
        client.feed(*[client.request(stream, P_path=b"/t.S/Hold") for stream in streams])
        client.now += 0.5
        client.feed(*[frames.rst_stream(stream, 8) for stream in streams])
    assert client.closed == [(stream, "reset") for stream in range(1, 801, 2)]
    # Nor is who gives up when the server does.
    for first in range(801, 1601, 200):
        streams = range(first, first + 200, 2)
        client.feed(*[client.request(stream, P_path=b"/t.S/Hold", grpc_timeout=b"100m") for stream in streams])
        client.now += 0.1
        client.link.on_alarm(client.now)
        client.feed(*[frames.rst_stream(stream, 8) for stream in streams])
    assert client.closed[400:] == [(stream, "deadline") for stream in range(801, 1601, 2)]
    assert not client.link.is_closed


def test_a_peer_that_does_not_read_replies_is_not_read_from():
    client = RawClient(limits=TransportLimits(control_bytes=500))
    client.link.feed(PING * 40, client.now)
    assert client.link.is_clogged
    client.read()
    assert not client.link.is_clogged


def test_the_owner_is_woken_once_for_all_that_waits():
    client = RawClient()
    woken = []
    client.link.wake = lambda: woken.append(1)
    client.link.feed(PING * 3, client.now)
    assert woken == [1]
    client.read()
    client.link.feed(PING, client.now)
    assert woken == [1, 1]


def test_a_peer_that_says_nothing_at_first_is_turned_away_in_time():
    client = RawClient(greet=False, limits=TransportLimits(handshake_s=10))
    client.read()
    assert client.link.alarm_at == client.now + 10
    client.link.on_alarm(client.now + 9)
    assert client.link.alarm_at == client.now + 10
    client.link.on_alarm(client.now + 10)
    got = client.read()
    assert_goaway(client, got, ErrorCode.SETTINGS_TIMEOUT)
    client.link.on_alarm(client.now + 11)
    assert client.link.alarm_at == math.inf


def test_nothing_open_means_no_alarm():
    client = RawClient()
    client.link.on_alarm(client.now + 10)
    assert client.link.alarm_at == math.inf


def test_a_silent_peer_with_open_calls_is_asked_and_then_given_up():
    client = RawClient(limits=TransportLimits(keepalive_s=30, keepalive_timeout_s=10))
    client.link.on_alarm(client.now + 10)
    client.open()
    assert client.link.alarm_at == client.now + 30
    client.link.on_alarm(client.now + 30)
    (ping,) = client.read()
    assert ping.kind == frames.PING
    assert client.link.alarm_at == client.now + 40
    client.link.on_alarm(client.now + 35)
    assert client.link.alarm_at == client.now + 40
    client.link.on_alarm(client.now + 40)
    assert client.closed == [(1, "lost")]
    assert client.link.is_closed
    assert client.link.alarm_at == math.inf


def test_a_peer_that_answers_the_question_lives_on():
    client = RawClient(limits=TransportLimits(keepalive_s=30, keepalive_timeout_s=10))
    client.open()
    start = client.now
    client.link.on_alarm(start + 30)
    (ping,) = client.read()
    client.now = start + 31
    client.feed(frames.ping(ping.payload, ack=True))
    client.link.on_alarm(start + 40)
    assert client.link.alarm_at == start + 61
    assert not client.link.is_closed


def test_no_question_is_put_to_a_peer_that_has_nothing_open():
    client = RawClient()
    client.open()
    client.link.on_alarm(client.now + 30)
    client.read()
    client.feed(frames.rst_stream(1, 8))
    client.link.on_alarm(client.now + 40)
    assert not client.link.is_closed
    assert client.link.alarm_at == math.inf


def test_an_earlier_alarm_wakes_the_timer_and_a_later_one_does_not():
    client = RawClient()
    woken = []
    client.link.wake_timer = lambda: woken.append(client.link.alarm_at)
    client.link.arm(client.now + 5)
    client.link.arm(client.now + 6)
    assert woken == [client.now + 5]


def test_losing_the_socket_ends_every_call_once():
    client = RawClient()
    client.open(1)
    client.open(3)
    client.link.lost("cut")
    client.link.lost("again")
    client.link.fail(ErrorCode.NO_ERROR, "too late")
    assert client.closed == [(1, "lost"), (3, "lost")]
    assert client.link.closed_because == "cut"
    assert client.read() == []


def test_a_client_obeys_the_same_rules():
    server = RawServer()
    got = server.feed(head(frames.PUSH_PROMISE, 4, 1, 4) + b"1234")
    assert_goaway(server, got, ErrorCode.PROTOCOL_ERROR)


def test_a_link_by_itself_belongs_to_neither_side():
    link: Link[Stream] = Link(TransportLimits(), 0.0)
    for call in (
        lambda: link._read_block(1, b"", is_last=False),
        lambda: link._is_idle(1),
        lambda: link._on_goaway(0, 0),
    ):
        with pytest.raises(NotImplementedError):
            call()
    link.write(b"")
    link.arm(1.0)
    link._on_setting(1, 1)
    link._on_ping_ack(b"")
    link.fail(ErrorCode.NO_ERROR, "over")
    assert link.pull().startswith(b"\x00\x00\x0c\x07")
