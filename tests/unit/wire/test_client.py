"""The client's side: the life of a call as its caller sees it."""

import gzip

import pytest

from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.limits import TransportLimits
from aether.wire.status import Code, RpcError
from tests.conformance.wire_peer import ANSWER, TRAILERS, RawServer, message, with_fields

ONLY = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"5"), (b"grpc-message", b"no")]


def opened(server, **options):
    call = server.client.open("/t.S/M", **options)
    events = []
    call.on_event = lambda: events.append(call.status)
    return call, events


def test_the_connection_begins_with_preface_and_settings():
    server = RawServer(greet=False)
    assert server.link.pull().startswith(frames.PREFACE)


def test_a_unary_call():
    server = RawServer()
    call, events = opened(server, timeout_s=2.5, metadata=[("x-a", "1")])
    call.send(b"hello")
    call.half_close()
    headers, data = server.read()
    fields = server.fields(headers)
    assert fields[":path"] == "/t.S/M"
    assert (fields[":method"], fields[":authority"], fields["te"]) == ("POST", "localhost:1", "trailers")
    assert (fields["grpc-timeout"], fields["x-a"]) == ("2500000u", "1")
    assert (data.payload, data.flags) == (message(b"hello"), frames.END_STREAM)
    server.feed(server.headers(1, ANSWER), server.data(1, message(b"world")), server.headers(1, TRAILERS, end=True))
    assert call.take() == [b"world"]
    assert call.status is not None
    assert call.status.code == Code.OK
    call.raise_for_status()
    assert events[-1] == call.status
    assert server.client.streams == {}


def test_an_open_call_has_no_status_and_raises_nothing():
    server = RawServer()
    call, _ = opened(server)
    call.raise_for_status()
    assert call.status is None


def test_a_failure_is_raised_with_all_it_says():
    server = RawServer()
    call, _ = opened(server)
    call.half_close()
    assert server.read()[-1].flags == frames.END_STREAM
    server.feed(server.headers(1, [*ONLY, (b"grpc-status-details-bin", b"AQI")], end=True))
    with pytest.raises(RpcError) as caught:
        call.raise_for_status()
    assert (caught.value.code, caught.value.message, caught.value.details) == (5, "no", b"\x01\x02")
    assert not caught.value.is_unprocessed


def test_metadata_of_the_answer_is_kept():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, [*ANSWER, (b"x-early", b"1")]))
    server.feed(server.headers(1, [*TRAILERS, (b"x-late-bin", b"Ag")], end=True))
    assert call.answer_metadata is not None
    assert call.trailing_metadata is not None
    assert call.answer_metadata.get("x-early") == "1"
    assert call.trailing_metadata.get("x-late-bin") == b"\x02"


def test_an_answer_before_the_request_is_complete_ends_it():
    server = RawServer()
    call, _ = opened(server)
    call.send(b"part")
    (reset,) = [frame for frame in server.feed(server.headers(1, ONLY, end=True)) if frame.kind == frames.RST_STREAM]
    assert reset.code == ErrorCode.CANCEL
    call.send(b"more")
    call.half_close()
    assert server.read() == []


def test_the_end_of_a_request_waits_for_the_window():
    server = RawServer(settings=[(frames.SETTING_WINDOW, 10)])
    call, _ = opened(server)
    call.send(b"x" * 20)
    call.half_close()
    assert [frame.flags for frame in server.read()][-1] == 0
    (data,) = server.feed(frames.window_update(1, 100))
    assert (len(data.payload), data.flags) == (15, frames.END_STREAM)


def test_messages_are_taken_all_at_once():
    server = RawServer()
    call, events = opened(server)
    server.feed(server.headers(1, ANSWER), server.data(1, message(b"a") + message(b"b")), server.data(1, message(b"c")))
    assert events == [None, None]
    assert call.take() == [b"a", b"b", b"c"]
    assert call.take() == []


def test_what_is_not_taken_is_not_credited():
    server = RawServer(limits=TransportLimits(stream_window=20_000))
    call, _ = opened(server)
    server.feed(server.headers(1, ANSWER))
    assert server.feed(server.data(1, message(b"x" * 12_000))) == []
    assert len(call.take()) == 1
    (update,) = server.read()
    assert (update.kind, update.stream, update.code) == (frames.WINDOW_UPDATE, 1, 12_005)


def test_an_unfinished_message_is_credited_or_it_could_never_be_finished():
    server = RawServer(limits=TransportLimits(stream_window=20_000))
    _, events = opened(server)
    server.feed(server.headers(1, ANSWER))
    got = server.feed(server.data(1, message(b"x" * 30_000)[:15_000]))
    assert [frame.kind for frame in got] == [frames.WINDOW_UPDATE]
    assert events == []


def test_a_gzip_answer_is_inflated():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, [*ANSWER, (b"grpc-encoding", b"gzip")]))
    server.feed(server.data(1, message(gzip.compress(b"hello"), flag=1)))
    assert call.take() == [b"hello"]


def test_a_message_beyond_the_limit_fails_the_call_only():
    server = RawServer(limits=TransportLimits(message_bytes=10))
    call, _ = opened(server)
    other, _ = opened(server)
    got = server.feed(server.headers(1, ANSWER), server.data(1, message(b"x" * 11)))
    assert got[-1].kind == frames.RST_STREAM
    assert call.status is not None
    assert call.status.code == Code.RESOURCE_EXHAUSTED
    assert other.status is None


def test_many_unfinished_messages_are_bounded_together():
    server = RawServer(limits=TransportLimits(partial_bytes=10_000))
    call, _ = opened(server)
    server.feed(server.headers(1, ANSWER), server.data(1, b"\x00\x00\x01\x00\x00" + b"x" * 9_999))
    assert call.status is not None
    assert call.status.code == Code.RESOURCE_EXHAUSTED
    assert server.client.partial_bytes == 0


@pytest.mark.parametrize(
    ("fields", "is_last", "code"),
    [
        (TRAILERS, False, Code.INTERNAL),
        ([(b":status", b"abc")], True, Code.INTERNAL),
        ([(b":status", b"503")], True, Code.UNAVAILABLE),
        ([(b":status", b"503")], False, Code.UNAVAILABLE),
        ([(b":status", b"200"), (b"content-type", b"text/html")], False, Code.UNKNOWN),
        (ANSWER, True, Code.UNKNOWN),
        ([(b"x", b"1")], True, Code.UNKNOWN),
        ([(b"x", b"1")], False, Code.INTERNAL),
        ([*ANSWER, *TRAILERS], False, Code.INTERNAL),
    ],
)
def test_an_answer_that_is_not_grpc_fails_the_call(fields, is_last, code):
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, fields, end=is_last))
    assert call.status is not None
    assert call.status.code == code
    assert server.client.streams == {}


def test_an_answer_that_begins_twice_fails_the_call():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, ANSWER), server.headers(1, ANSWER))
    assert call.status is not None
    assert call.status.code == Code.INTERNAL


def test_informational_answers_are_passed_over():
    server = RawServer()
    call, _ = opened(server)
    server.feed(
        server.headers(1, [(b":status", b"103")]), server.headers(1, ANSWER), server.headers(1, TRAILERS, end=True)
    )
    assert call.status is not None
    assert call.status.code == Code.OK


def test_data_before_fields_fails_the_call():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.data(1, message(b"a")))
    assert call.status is not None
    assert call.status.code == Code.INTERNAL


def test_an_answer_that_stops_without_trailers_fails_the_call():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, ANSWER), server.data(1, message(b"a"), end=True))
    assert call.status is not None
    assert call.status.code == Code.UNKNOWN
    assert call.take() == [b"a"]


def test_an_answer_that_stops_within_a_message_fails_the_call():
    server = RawServer()
    call, _ = opened(server)
    server.feed(server.headers(1, ANSWER), server.data(1, message(b"abc")[:6]), server.headers(1, TRAILERS, end=True))
    assert call.status is not None
    assert call.status.code == Code.INTERNAL


@pytest.mark.parametrize(
    ("error", "code", "is_unprocessed"),
    [
        (ErrorCode.REFUSED_STREAM, Code.UNAVAILABLE, True),
        (ErrorCode.CANCEL, Code.CANCELLED, False),
        (ErrorCode.NO_ERROR, Code.INTERNAL, False),
        (ErrorCode.ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED, False),
    ],
)
def test_a_reset_ends_the_call(error, code, is_unprocessed):
    server = RawServer()
    call, events = opened(server)
    server.feed(frames.rst_stream(1, error))
    with pytest.raises(RpcError) as caught:
        call.raise_for_status()
    assert (caught.value.code, caught.value.is_unprocessed) == (code, is_unprocessed)
    assert len(events) == 1


def test_giving_up_tells_the_server():
    server = RawServer()
    call, events = opened(server)
    server.read()
    call.cancel()
    call.cancel()
    (reset,) = server.read()
    assert reset.code == ErrorCode.CANCEL
    assert call.status is not None
    assert call.status.code == Code.CANCELLED
    assert len(events) == 1


def test_what_arrives_for_a_call_that_was_given_up_is_ignored():
    server = RawServer()
    call, _ = opened(server)
    call.cancel()
    server.read()
    late = (server.headers(1, ANSWER), server.data(1, message(b"a")), server.headers(1, TRAILERS, end=True))
    assert server.feed(*late) == []
    assert not server.client.is_closed
    assert call.take() == []


def test_a_deadline_is_kept_by_the_client_itself():
    server = RawServer()
    call, _ = opened(server)
    server.client.expire(call, server.now + 3)
    assert server.link.alarm_at == server.now + 3
    server.link.on_alarm(server.now + 3)
    assert call.status is not None
    assert call.status.code == Code.DEADLINE_EXCEEDED
    assert server.read()[-1].kind == frames.RST_STREAM


def test_losing_the_connection_fails_every_call_at_once():
    server = RawServer()
    calls = [opened(server)[0] for _ in range(3)]
    server.link.lost("cut")
    assert {call.status.code for call in calls if call.status} == {Code.UNAVAILABLE}
    calls[0].cancel()
    assert all(call.status for call in calls)


def test_congestion_and_relief_are_told():
    server = RawServer(limits=TransportLimits(outbound_mark=10), settings=[(frames.SETTING_WINDOW, 0)])
    call, events = opened(server)
    call.send(b"x" * 20)
    assert call.is_congested
    server.feed(frames.window_update(1, 100))
    assert not call.is_congested
    assert events == [None]


def test_relief_of_a_call_that_has_ended_is_not_told():
    server = RawServer(limits=TransportLimits(outbound_mark=10))
    call, events = opened(server)
    call.send(b"x" * 20)
    server.client.relieved.append(call)
    call.cancel()
    server.read()
    server.client._tell_relieved()
    assert len(events) == 1


def test_a_server_that_reads_nothing_is_given_up():
    limits = TransportLimits(outbound_mark=10, outbound_stream_bytes=100)
    server = RawServer(limits=limits, settings=[(frames.SETTING_WINDOW, 0)])
    call, _ = opened(server)
    call.send(b"x" * 200)
    assert call.status is not None
    assert call.status.code == Code.RESOURCE_EXHAUSTED


def test_goaway_ends_what_the_server_did_not_take_and_leaves_the_rest():
    server = RawServer()
    first, second = opened(server)[0], opened(server)[0]
    woken = []
    server.feed()
    server.link.wake = lambda: woken.append(1)
    server.feed(frames.goaway(1, ErrorCode.NO_ERROR))
    assert first.status is None
    assert second.is_unprocessed
    assert server.client.is_going_away
    assert not server.client.is_spent
    server.feed(server.headers(1, ONLY, end=True))
    assert server.client.is_spent


def test_goaway_without_open_calls_wakes_the_owner():
    server = RawServer()
    woken = []
    server.link.wake = lambda: woken.append(1)
    server.link.feed(frames.goaway(0, ErrorCode.NO_ERROR), server.now)
    assert woken == [1]
    assert server.client.is_spent


def test_no_more_calls_are_open_than_the_server_allows():
    server = RawServer(settings=[(frames.SETTING_STREAMS, 1)])
    told = []
    server.client.on_room = lambda: told.append(server.client.is_full)
    call, _ = opened(server)
    assert server.client.is_full
    call.cancel()
    assert told == [False]
    server.feed(frames.settings([(frames.SETTING_STREAMS, 0)]))
    assert server.client.is_full


def test_all_calls_are_taken_when_the_server_has_said_how_many_it_allows():
    server = RawServer(greet=False)
    server.client.max_streams = 1
    opened(server)
    told = []
    server.client.on_room = lambda: told.append(server.client.is_taken)
    assert server.client.is_full
    assert not server.client.is_taken, "it may allow more"
    server.feed(frames.settings([]))
    assert told == [True], "whoever waited for its word goes on"


def test_a_call_is_alone_when_those_before_it_were_too():
    server = RawServer()
    flushed = []
    server.client.flush = lambda: flushed.append(len(server.client.streams))

    def calls(count):
        for _ in range(count):
            call, _ = opened(server)
            yield call.is_alone
            call.flush()
            call.cancel()

    assert list(calls(8)) == [False] * 7 + [True]
    assert flushed == [1] * 8
    beside, _ = opened(server)
    assert beside.is_alone
    assert list(calls(1)) == [False]
    beside.cancel()
    assert list(calls(8)) == [False] * 7 + [True]


def test_stream_numbers_run_out_after_a_billion_calls():
    server = RawServer()
    server.client._next_stream = frames.LAST_STREAM
    opened(server)
    assert server.client.is_going_away


def test_the_servers_table_size_is_obeyed():
    server = RawServer(settings=[(frames.SETTING_HEADER_TABLE, 0), (0x77, 1)])
    server._decoder.max_allowed_table_size = 0
    for _ in range(3):
        opened(server)
    blocks = [frame for frame in server.read() if frame.kind == frames.HEADERS]
    assert [server.fields(frame)[":path"] for frame in blocks] == ["/t.S/M"] * 3


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP/1 and not gRPC"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "it speaks TLS: write https://"),
        (b"\x16\x03\x03\x00\x02\x02\x46", "it speaks TLS: write https://"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it does not speak gRPC: no Aether server listens there"),
        (frames.ping(b"12345678"), "it does not speak gRPC"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_does_not_begin_with_settings_is_told_by_its_first_octets(begin, words, size):
    server = RawServer(greet=False)
    call, _ = opened(server)
    for at in range(0, len(begin), size):
        server.client.feed(begin[at : at + size], 0.0)
    assert call.status is not None
    assert call.status.code == Code.UNAVAILABLE
    assert words in call.status.message


@pytest.mark.parametrize("stream", [0, 2, 99])
def test_frames_on_streams_that_were_never_opened_end_the_connection(stream):
    server = RawServer()
    opened(server)
    assert server.feed(server.headers(stream, ANSWER))[-1].kind == frames.GOAWAY


def test_a_client_without_listeners_works():
    server = RawServer()
    call = server.client.open("/t.S/M")
    assert server.fields(server.read()[0])[":path"] == "/t.S/M"
    server.feed(
        server.headers(1, with_fields(ANSWER)), server.data(1, message(b"a")), server.headers(1, TRAILERS, end=True)
    )
    assert call.take() == [b"a"]


def test_who_is_asked_before_writing_speaks_in_the_same_write():
    server = RawServer()
    call, _ = opened(server)
    server.read()
    wakes = []
    server.client.wake = lambda: wakes.append(1)
    call.before_writing(lambda: call.send(b"hello"))
    assert wakes == [1]
    assert server.read()[-1].payload == message(b"hello")
    assert wakes == [1]
    assert server.read() == []


def test_who_asks_again_while_it_is_asked_is_asked_again():
    server = RawServer()
    call, _ = opened(server)
    server.read()
    asked = []

    def give():
        asked.append(1)
        if len(asked) < 2:
            call.before_writing(give)

    wakes = []
    server.client.wake = lambda: wakes.append(1)
    call.before_writing(give)
    server.client.pull()
    assert wakes == [1, 1]
    server.client.pull()
    assert (asked, wakes) == ([1, 1], [1, 1])


def test_a_connection_is_full_while_much_waits_to_be_sent():
    server = RawServer()
    call, _ = opened(server)
    server.read()
    rooms = []
    server.client.on_room = lambda: rooms.append(server.client.is_full)
    size = server.client.limits.outbound_stream_bytes - 100
    call.send(b"x" * size)
    assert not server.client.is_full
    server.client.open("/x").send(b"x" * 1_000)
    assert server.client.is_full
    server.client.pull()
    assert rooms == [False]


def test_nobody_is_asked_for_a_call_that_has_ended():
    server = RawServer()
    call, _ = opened(server)
    call.cancel()
    server.read()
    call.before_writing(lambda: pytest.fail("asked"))
    assert server.read() == []
