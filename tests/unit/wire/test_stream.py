"""The sending half of a stream: windows, fairness, congestion."""

import pytest

from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.limits import TransportLimits
from aether.wire.stream import Stream
from tests.conformance.wire_peer import RawClient, message, split


def data_of(got):
    return b"".join(frame.payload for frame in got if frame.kind == frames.DATA)


def test_small_messages_leave_in_one_frame():
    client = RawClient()
    call = client.open()
    for number in range(5):
        call.send(b"%d" % number)
    sent = [frame for frame in client.read() if frame.kind == frames.DATA]
    assert len(sent) == 1
    assert sent[0].payload == b"".join(message(b"%d" % number) for number in range(5))


@pytest.mark.parametrize("window", [0, 1, 4, 5, 6, 100, 16_384, 16_385, 40_000])
def test_never_more_than_the_stream_window_is_sent(window):
    client = RawClient(settings=[(frames.SETTING_WINDOW, window)])
    call = client.open()
    sent = data_of(client.feed())
    call.send(bytes(range(250)) * 160)
    call.send(b"tail")
    wanted = message(bytes(range(250)) * 160) + message(b"tail")
    sent += data_of(client.read())
    assert sent == wanted[:window]
    while len(sent) < len(wanted):
        more = data_of(client.feed(frames.window_update(call.stream_id, 7_000)))
        assert len(more) <= 7_000
        assert more
        sent += more
    assert sent == wanted


def test_never_more_than_the_connection_window_is_sent():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 1_000_000)])
    calls = [client.open(stream) for stream in (1, 3)]
    for call in calls:
        call.send(b"x" * 50_000)
    sent = len(data_of(client.read()))
    assert sent == frames.DEFAULT_WINDOW
    assert len(data_of(client.feed(frames.window_update(0, 10)))) == 10
    sent += 10 + len(data_of(client.feed(frames.window_update(0, 1_000_000))))
    assert sent == 2 * 50_005


def test_streams_that_are_ready_take_turns():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 1_000_000)])
    client.feed(frames.window_update(0, 10_000_000))
    for call in [client.open(stream) for stream in (1, 3, 5)]:
        call.send(b"x" * 40_000)
    order = [frame.stream for frame in client.read() if frame.kind == frames.DATA]
    assert order[:6] == [1, 3, 5, 1, 3, 5]


def test_no_frame_is_larger_than_http2_allows_by_default():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 1_000_000)])
    client.open().send(b"x" * 60_000)
    assert max(len(frame.payload) for frame in client.read()) == frames.MAX_FRAME


def test_a_stream_is_congested_above_the_mark_and_says_when_it_is_not():
    client = RawClient(limits=TransportLimits(outbound_mark=1_000), settings=[(frames.SETTING_WINDOW, 0)])
    call = client.open()
    told = []
    call.on_writable = lambda: told.append(call.is_congested)
    call.send(b"x" * 990)
    assert not call.is_congested
    call.send(b"xxx")
    assert call.is_congested
    client.feed(frames.window_update(call.stream_id, 1))
    assert not told
    client.feed(frames.window_update(call.stream_id, 5))
    assert told == [False]
    client.feed(frames.window_update(call.stream_id, 10_000))
    assert told == [False]


def test_a_stream_that_ignores_the_mark_is_ended():
    limits = TransportLimits(outbound_mark=1_000, outbound_stream_bytes=5_000)
    client = RawClient(limits=limits, settings=[(frames.SETTING_WINDOW, 0)])
    call = client.open()
    for _ in range(20):
        call.send(b"x" * 1_000)
    assert client.closed == [(1, "reset")]
    assert client.server.queued == 0
    assert [frame.kind for frame in client.read()][-2:] == [frames.HEADERS, frames.RST_STREAM]


def test_a_peer_that_reads_nothing_of_many_streams_is_cut_off():
    limits = TransportLimits(outbound_unread_bytes=10_000)
    client = RawClient(limits=limits, settings=[(frames.SETTING_WINDOW, 0)])
    for stream in range(1, 9, 2):
        client.open(stream).send(b"x" * 3_000)
    assert client.server.is_closed
    assert client.read()[-1].code == ErrorCode.ENHANCE_YOUR_CALM
    assert sorted(client.closed) == [(1, "lost"), (3, "lost"), (5, "lost"), (7, "lost")]
    assert client.server.queued == 0


def crowded():
    """A connection on which no more than one large answer may wait, and does."""
    limits = TransportLimits(outbound_mark=100, outbound_large_bytes=4_000)
    client = RawClient(limits=limits, settings=[(frames.SETTING_WINDOW, 0)])
    client.open(1).respond(b"x" * 3_000)
    return client


def test_a_large_answer_for_which_there_is_no_room_is_refused_and_nothing_else_is():
    client = crowded()
    for stream in (3, 5):
        client.open(stream)
    large, small = client.calls[-2:]
    assert not large.has_room_for(b"y" * 3_000)
    large.respond(b"y" * 3_000)
    assert client.status(client.read()) == ("200", "14")
    small.respond(b"z" * 100)
    sent = client.feed(*(frames.window_update(stream, 9_000) for stream in (1, 5)))
    assert data_of(sent) == message(b"x" * 3_000) + message(b"z" * 100)
    assert not client.closed


@pytest.mark.parametrize("how", ["read", "reset"])
def test_who_waits_for_room_is_told_when_most_of_what_was_under_way_is_gone(how):
    client = crowded()
    client.open(3)
    call = client.open(5)
    told = []
    call.on_writable = lambda: told.append(call.has_room_for(b"y" * 3_000))
    call.await_room()
    client.feed(frames.window_update(1, 2_000))
    assert told == []
    client.feed(frames.window_update(1, 1_005) if how == "read" else frames.rst_stream(1, ErrorCode.CANCEL))
    assert told == [True]
    client.feed(frames.window_update(5, 5))
    assert told == [True]


def test_a_call_that_has_ended_waits_for_no_room():
    client = crowded()
    call = client.open(3)
    client.feed(frames.rst_stream(3, ErrorCode.CANCEL))
    assert call.has_room_for(b"y" * 3_000)


def test_a_window_that_shrinks_below_zero_holds_back_until_it_has_grown_again():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 100)])
    call = client.open()
    call.send(b"x" * 95)
    assert len(data_of(client.read())) == 100
    client.feed(frames.settings([(frames.SETTING_WINDOW, 50)]))
    call.send(b"y" * 5)
    assert data_of(client.feed(frames.window_update(1, 50))) == b""
    assert data_of(client.feed(frames.window_update(1, 10))) == message(b"y" * 5)


def test_a_window_that_shrinks_while_something_is_ready_holds_it_back():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 100)])
    call = client.open()
    call.send(b"x" * 20)
    client.link.feed(frames.settings([(frames.SETTING_WINDOW, 0)]), client.now)
    assert data_of(client.read()) == b""
    assert data_of(client.feed(frames.settings([(frames.SETTING_WINDOW, 100)]))) == message(b"x" * 20)


def test_little_is_taken_for_one_write_however_much_waits():
    client = RawClient(
        limits=TransportLimits(write_bytes=20_000), settings=[(frames.SETTING_WINDOW, frames.MAX_WINDOW)]
    )
    client.feed(frames.window_update(0, 1_000_000_000))
    woken = []
    client.link.wake = lambda: woken.append(1)
    client.open().send(b"x" * 200_000)
    sizes = []
    while data := client.link.pull():
        sizes.append(len(data))
        assert sum(len(frame.payload) for frame in split(data)) <= 20_000 + frames.MAX_FRAME
    assert len(sizes) > 5
    assert len(woken) >= len(sizes)


def test_what_was_queued_for_a_stream_that_is_gone_is_not_sent():
    client = RawClient()
    call = client.open()
    call.send(b"x" * 100)
    client.link.feed(frames.rst_stream(1, ErrorCode.CANCEL), client.now)
    assert data_of(client.read()) == b""
    assert client.server.queued == 0


@pytest.mark.parametrize("name", ["_emit_end", "on_reset", "on_lost", "on_data", "on_expired", "on_relieved"])
def test_a_stream_by_itself_belongs_to_neither_side(name):
    stream = Stream(RawClient().server, 1)
    arguments = {"_emit_end": ([],), "on_reset": (0,), "on_lost": ("",), "on_data": (b"", 0, 0)}.get(name, ())
    with pytest.raises(NotImplementedError):
        getattr(stream, name)(*arguments, **({"is_last": False} if name == "on_data" else {}))
    assert stream._end_flag() == 0
