"""The server's side: the life of a call, from every way in to every way out."""

import gzip

import pytest

from aether.wire import frames
from aether.wire.calls import Method
from aether.wire.frames import ErrorCode
from aether.wire.limits import TransportLimits
from aether.wire.status import Code, Status
from tests.conformance.wire_peer import REQUEST, RawClient, message, with_fields

KINDS_OF_ANSWER = [frames.HEADERS, frames.DATA, frames.HEADERS]


def kinds(got):
    return [frame.kind for frame in got]


def test_a_unary_call_is_answered_in_one_go():
    client = RawClient()
    got = client.feed(client.request(1, b"hello"))
    assert kinds(got) == KINDS_OF_ANSWER
    assert client.fields(got[0]) == {":status": "200", "content-type": "application/grpc"}
    assert got[1].payload == message(b"hello")
    assert client.fields(got[2]) == {"grpc-status": "0"}
    assert got[2].flags & frames.END_STREAM
    assert client.link.streams == {}


def test_a_request_may_end_with_empty_data_or_with_trailers():
    client = RawClient()
    head = client.headers(1, REQUEST) + client.data(1, message(b"a"))
    assert kinds(client.feed(head, client.data(1, b"", end=True))) == KINDS_OF_ANSWER
    head = client.headers(3, REQUEST) + client.data(3, message(b"a"))
    assert kinds(client.feed(head, client.headers(3, [(b"x-trailer", b"1")], end=True))) == KINDS_OF_ANSWER


def test_a_call_may_be_answered_later_and_in_any_order():
    client = RawClient()
    for stream in (1, 3):
        assert client.feed(client.request(stream, P_path=b"/t.S/Hold")) == []
    client.calls[1].respond(b"second")
    client.calls[0].respond(b"first")
    assert [frame.payload for frame in client.read() if frame.kind == frames.DATA] == [
        message(b"second"),
        message(b"first"),
    ]
    assert client.closed == []


def test_a_gzip_request_is_inflated():
    client = RawClient()
    head = client.headers(1, with_fields(REQUEST, grpc_encoding=b"gzip"))
    got = client.feed(head, client.data(1, message(gzip.compress(b"hello"), flag=1), end=True))
    assert got[1].payload == message(b"hello")


def test_a_gzip_bomb_is_an_rpc_error():
    client = RawClient(limits=TransportLimits(message_bytes=1_000))
    head = client.headers(1, with_fields(REQUEST, grpc_encoding=b"gzip"))
    got = client.feed(head, client.data(1, message(gzip.compress(b"x" * 500_000), flag=1), end=True))
    assert client.status(got) == ("200", "8")


def test_messages_of_a_stream_arrive_as_they_come():
    client = RawClient()
    got: list[bytes] = []
    call = client.open()
    call.on_message = got.append
    call.on_half_close = lambda: got.append(b"half closed")
    client.feed(client.data(1, message(b"a") + message(b"b")[:3]))
    assert got == [b"a"]
    client.feed(client.data(1, message(b"b")[3:], end=True))
    assert got == [b"a", b"b", b"half closed"]
    call.send(b"x")
    call.finish()
    assert kinds(client.read()) == KINDS_OF_ANSWER


def test_a_stream_without_any_message_is_half_closed_at_once():
    told = []

    def open_stream(call):
        call.on_half_close = lambda: told.append(call.path)

    client = RawClient([Method("/t.S/Mine", open_stream, "stream")])
    client.feed(client.headers(1, with_fields(REQUEST, P_path=b"/t.S/Mine"), end=True))
    assert told == ["/t.S/Mine"]


def test_callbacks_that_are_not_set_do_nothing():
    client = RawClient([Method("/t.S/Mine", lambda call: None, "stream")])
    client.feed(client.headers(1, with_fields(REQUEST, P_path=b"/t.S/Mine")), client.data(1, message(b"a"), end=True))
    client.feed(frames.rst_stream(1, 8))
    assert client.failures == []


def test_a_handler_knows_who_calls_and_with_what():
    client = RawClient()
    call = client.open(1, grpc_timeout=b"5S", x_key=b"value")
    assert (call.path, call.peer, call.metadata.get("x-key")) == ("/t.S/Stream", "here", "value")
    assert call.expires_at == client.now + 5


def test_a_handler_may_send_metadata_before_and_after():
    client = RawClient()
    call = client.open()
    call.set_answer_metadata([("x-early", "1")])
    call.set_trailing_metadata([("x-late-bin", b"\x02")])
    call.respond(b"")
    got = client.read()
    assert client.fields(got[0])["x-early"] == "1"
    assert client.fields(got[2]) == {"grpc-status": "0", "x-late-bin": "Ag"}


def test_metadata_of_a_failure_without_answer_is_sent_with_its_status():
    client = RawClient()
    call = client.open()
    call.set_answer_metadata([("x-early", "1")])
    call.set_trailing_metadata([("x-late", "2")])
    call.finish(Status(Code.ABORTED, "no", b"\x01"))
    fields = client.fields(client.read()[0])
    assert (fields["x-early"], fields["x-late"], fields["grpc-status"], fields["grpc-message"]) == (
        "1",
        "2",
        "10",
        "no",
    )


def test_finishing_before_the_client_has_half_closed_stops_its_upload():
    client = RawClient()
    client.open().finish()
    headers, reset = client.read()
    assert headers.flags & frames.END_STREAM
    assert (reset.kind, reset.code) == (frames.RST_STREAM, ErrorCode.NO_ERROR)
    assert client.feed(client.data(1, message(b"late"), end=True)) == []


def test_the_status_follows_everything_that_was_sent():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 10)])
    call = client.open()
    call.send(b"x" * 20)
    call.finish(Status(Code.ABORTED))
    assert kinds(client.read()) == [frames.HEADERS, frames.DATA]
    assert client.feed(client.data(1, b"", end=True)) == []
    data, trailers = client.feed(frames.window_update(1, 100))
    assert data.payload == b"x" * 15
    assert client.fields(trailers) == {"grpc-status": "10"}
    assert client.link.streams == {}


def test_the_status_after_the_last_message_stops_an_upload_too():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 10)])
    call = client.open()
    call.send(b"x" * 20)
    call.finish()
    client.read()
    assert client.feed(client.data(1, message(b"ignored"))) == []
    assert kinds(client.feed(frames.window_update(1, 100))) == [frames.DATA, frames.HEADERS, frames.RST_STREAM]


def test_after_its_end_a_call_does_nothing():
    client = RawClient()
    call = client.open()
    call.finish()
    client.read()
    call.send(b"x")
    call.finish(Status(Code.INTERNAL))
    call.respond(b"y")
    assert client.read() == []
    assert client.closed == []


def test_a_handler_that_raises_fails_its_call_without_telling_why():
    def boom(call, request):
        raise RuntimeError("secret")

    client = RawClient([Method("/t.S/Boom", boom, "unary")])
    got = client.feed(client.request(1, P_path=b"/t.S/Boom"))
    fields = client.fields(got[0])
    told = "internal error; the server's log tells more of request here/1"
    assert (fields["grpc-status"], fields["grpc-message"]) == ("2", told)
    assert [str(error) for error in client.failures] == ["secret"]
    assert kinds(client.feed(client.request(3, b"on"))) == KINDS_OF_ANSWER


@pytest.mark.parametrize("event", ["on_message", "on_half_close", "on_closed", "on_writable"])
def test_a_callback_that_raises_fails_its_call_only(event):
    client = RawClient(limits=TransportLimits(outbound_mark=10), settings=[(frames.SETTING_WINDOW, 0)])
    call = client.open()

    def boom(*_):
        raise RuntimeError("secret")

    setattr(call, event, boom)
    call.send(b"x" * 20)
    data = {
        "on_message": client.data(1, message(b"a")),
        "on_half_close": client.data(1, b"", end=True),
        "on_closed": frames.rst_stream(1, 8),
        "on_writable": frames.window_update(1, 100),
    }[event]
    client.feed(data)
    assert [str(error) for error in client.failures] == ["secret"]
    assert kinds(client.feed(client.request(3, b"")))[:1] == [frames.HEADERS]


def test_a_report_that_nobody_wants_is_dropped():
    from aether.wire.calls import report_nothing

    client = RawClient()
    client.feed(client.request(1, P_path=b"/t.S/Hold"))
    report_nothing(client.calls[0], RuntimeError())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"P_path": b"/t.S/Nothing"}, ("200", "12")),
        ({"content_type": b"text/html"}, ("415", "13")),
        ({"te": None}, ("400", "13")),
    ],
)
def test_a_request_that_cannot_be_served_gets_a_status_and_its_neighbours_live(changes, status):
    client = RawClient()
    got = client.feed(client.headers(1, with_fields(REQUEST, **changes)))
    assert client.status(got) == status
    assert kinds(got) == [frames.HEADERS, frames.RST_STREAM]
    got = client.feed(client.headers(3, with_fields(REQUEST, **changes), end=True))
    assert kinds(got) == [frames.HEADERS]
    assert kinds(client.feed(client.request(5))) == KINDS_OF_ANSWER


def test_a_malformed_request_is_reset_and_its_neighbours_live():
    client = RawClient()
    (reset,) = client.feed(client.headers(1, with_fields(REQUEST, connection=b"close")))
    assert (reset.kind, reset.code) == (frames.RST_STREAM, ErrorCode.PROTOCOL_ERROR)
    assert kinds(client.feed(client.request(3))) == KINDS_OF_ANSWER


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "13"),
        (message(b"a")[:-1], "13"),
        (message(b"a")[:3], "13"),
        (message(b"a") + message(b"b"), "13"),
        (message(b"a", flag=1), "13"),
        (message(b"a", flag=7), "13"),
        (b"\x00\xff\xff\xff\xff", "8"),
    ],
)
def test_a_request_that_is_not_one_message_is_an_rpc_error(data, code):
    client = RawClient()
    got = client.feed(client.headers(1, REQUEST), client.data(1, data, end=True))
    assert client.status(got) == ("200", code)
    assert kinds(client.feed(client.request(3))) == KINDS_OF_ANSWER


def test_a_second_message_in_another_frame_is_an_rpc_error():
    client = RawClient()
    got = client.feed(client.headers(1, REQUEST), client.data(1, message(b"a")), client.data(1, message(b"b")))
    assert client.status(got) == ("200", "13")


def test_a_unary_request_without_data_is_an_rpc_error():
    client = RawClient()
    got = client.feed(client.headers(1, REQUEST, end=True))
    assert client.status(got) == ("200", "13")


def test_a_bad_message_in_a_stream_tells_the_handler():
    client = RawClient()
    call = client.open()
    call.send(b"begun")
    got = client.feed(client.data(1, message(b"a", flag=9)))
    assert kinds(got) == [frames.HEADERS, frames.HEADERS, frames.RST_STREAM]
    assert client.closed == [(1, "reset")]


def test_messages_after_a_handler_has_finished_are_dropped():
    client = RawClient()
    call = client.open()
    got = []

    def take(content):
        got.append(content)
        call.finish()

    call.on_message = take
    client.feed(client.data(1, message(b"a") + message(b"b")))
    assert got == [b"a"]


def test_an_answer_to_the_last_message_needs_no_reset():
    client = RawClient()
    call = client.open()
    call.on_message = call.respond
    assert kinds(client.feed(client.data(1, message(b"a"), end=True))) == KINDS_OF_ANSWER


def test_an_answer_before_trailers_of_the_request_needs_no_reset():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 0)])
    client.open().respond(b"x")
    client.feed(client.headers(1, [(b"x", b"1")], end=True))
    assert kinds(client.feed(frames.window_update(1, 100))) == [frames.DATA, frames.HEADERS]


def test_many_unfinished_messages_are_bounded_together():
    client = RawClient(limits=TransportLimits(partial_bytes=20_000))
    for stream in (1, 3):
        client.open(stream)
        client.feed(client.data(stream, b"\x00\x00\x01\x00\x00" + b"x" * 9_000))
    assert client.link.partial_bytes == 18_010
    got = client.feed(client.data(3, b"x" * 5_000))
    assert client.fields(got[0])["grpc-status"] == "8"
    assert client.closed == [(3, "reset")]
    assert client.link.partial_bytes == 9_005
    client.feed(frames.rst_stream(1, 8))
    assert client.link.partial_bytes == 0


def test_whole_requests_that_are_never_half_closed_are_bounded_together():
    client = RawClient(limits=TransportLimits(partial_bytes=20_000))
    for stream in (1, 3):
        assert client.feed(client.headers(stream, REQUEST), client.data(stream, message(b"x" * 9_000))) == []
    assert client.link.partial_bytes == 18_000
    got = client.feed(client.headers(5, REQUEST), client.data(5, message(b"x" * 9_000)))
    assert client.status(got) == ("200", "8")
    assert kinds(client.feed(client.data(1, b"", end=True))) == KINDS_OF_ANSWER
    assert client.link.partial_bytes == 9_000


def test_a_request_in_pieces_with_trailers_is_whole():
    client = RawClient()
    data = message(b"hello")
    client.feed(client.headers(1, REQUEST), client.data(1, data[:7]), client.data(1, data[7:]))
    got = client.feed(client.headers(1, [(b"x", b"1")], end=True))
    assert got[1].payload == data
    assert client.link.partial_bytes == 0


def test_a_long_upload_is_credited_while_it_goes_on():
    client = RawClient(limits=TransportLimits(stream_window=20_000, message_bytes=1_000_000))
    client.open()
    credited = 0
    client.feed(client.data(1, b"\x00\x00\x01\x00\x00"))
    for _ in range(6):
        got = client.feed(client.data(1, b"x" * 10_000))
        credited += sum(frame.code for frame in got if frame.stream == 1)
    assert credited >= 50_000
    assert client.closed == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_going_on_after_half_closing_is_a_stream_error(is_kept):
    client = RawClient()
    client.open()
    client.feed(client.data(1, b"", end=True))
    more = client.data(1, message(b"a")) if is_kept else client.headers(1, [(b"x", b"1")], end=True)
    got = client.feed(more)
    assert [(frame.kind, frame.code) for frame in got] == [(frames.RST_STREAM, ErrorCode.STREAM_CLOSED)]
    assert client.closed == [(1, "reset")]


def test_fields_in_the_middle_of_a_request_are_a_stream_error():
    client = RawClient()
    client.open()
    got = client.feed(client.headers(1, [(b"x", b"1")]))
    assert kinds(got) == [frames.RST_STREAM]


def test_trailers_of_a_stream_that_is_over_are_read_and_ignored():
    client = RawClient()
    client.open().finish()
    client.read()
    assert client.feed(client.headers(1, [(b"x", b"1")], end=True)) == []
    assert kinds(client.feed(client.request(3))) == KINDS_OF_ANSWER


def test_a_reset_reaches_the_handler_at_once():
    client = RawClient()
    client.open()
    assert client.feed(frames.rst_stream(1, ErrorCode.CANCEL)) == []
    assert client.closed == [(1, "reset")]
    client.calls[0].respond(b"late")
    assert client.read() == []


def test_a_finished_call_is_not_asked_for_more():
    client = RawClient(limits=TransportLimits(outbound_mark=10), settings=[(frames.SETTING_WINDOW, 0)])
    call = client.open()
    asked = []
    call.on_writable = lambda: asked.append(1)
    call.respond(b"x" * 20)
    client.feed(frames.window_update(1, 100))
    assert not asked


def test_a_reset_after_finish_is_not_reported():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 0)])
    client.open().respond(b"x")
    client.feed(frames.rst_stream(1, ErrorCode.CANCEL))
    assert client.closed == []
    assert client.link.streams == {}


def test_more_streams_than_allowed_are_refused_for_a_retry():
    client = RawClient(limits=TransportLimits(streams=2))
    client.open(1)
    client.open(3)
    (reset,) = client.feed(client.headers(5, REQUEST))
    assert (reset.kind, reset.code) == (frames.RST_STREAM, ErrorCode.REFUSED_STREAM)
    client.feed(frames.rst_stream(1, 8))
    assert kinds(client.feed(client.request(7))) == KINDS_OF_ANSWER


def test_a_deadline_ends_an_open_call_on_time():
    client = RawClient()
    call = client.open(1, grpc_timeout=b"2S")
    assert client.link.alarm_at == client.now + 2
    call.send(b"begun")
    client.read()
    client.link.on_alarm(client.now + 1)
    assert client.closed == []
    client.link.on_alarm(client.now + 2)
    trailers, reset = client.read()
    assert client.fields(trailers)["grpc-status"] == "4"
    assert reset.kind == frames.RST_STREAM
    assert client.closed == [(1, "deadline")]


def test_the_next_alarm_is_the_earliest_deadline_that_is_left():
    client = RawClient()
    client.open(1, grpc_timeout=b"9S")
    client.open(3, grpc_timeout=b"2S")
    client.open(5, grpc_timeout=b"5S")
    client.link.on_alarm(client.now + 2)
    assert client.link.alarm_at == client.now + 5


def test_a_deadline_that_has_passed_before_the_start_never_reaches_the_handler():
    client = RawClient()
    got = client.feed(client.request(1, P_path=b"/t.S/Hold", grpc_timeout=b"0S"))
    assert client.status(got) == ("200", "4")
    assert client.calls == []
    client.feed(client.headers(3, with_fields(REQUEST, P_path=b"/t.S/Hold", grpc_timeout=b"1S")))
    client.now += 1
    got = client.feed(client.data(3, message(b""), end=True))
    assert client.status(got) == ("200", "4")
    assert client.calls == []


def test_a_deadline_passing_while_the_answer_waits_for_the_reader_ends_it():
    client = RawClient(settings=[(frames.SETTING_WINDOW, 0)])
    client.open(1, grpc_timeout=b"1S").respond(b"x")
    client.read()
    client.link.on_alarm(client.now + 1)
    assert client.fields(client.read()[0])["grpc-status"] == "4"
    assert client.closed == []
    assert client.server.queued == 0


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.1", b"\x00"]
)
def test_what_is_not_http2_is_told_so(junk):
    client = RawClient(greet=False)
    got = client.feed(junk)
    assert kinds(got) == [frames.SETTINGS, frames.WINDOW_UPDATE, frames.GOAWAY]
    assert client.link.is_closed


def test_the_first_frame_must_be_settings():
    client = RawClient(greet=False)
    got = client.feed(frames.PREFACE, frames.ping(b"12345678"))
    assert got[-1].code == ErrorCode.PROTOCOL_ERROR
