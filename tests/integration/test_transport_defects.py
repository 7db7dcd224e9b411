"""What is wrong with purerpc as a server, by the numbers of docs/decisions/own-grpc-codec.md, tried on ours."""

from __future__ import annotations

import errno
import gzip
import resource
import socket
import struct
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Self

import grpc
import hpack
import pytest

from aether.server.listener import BindError, bind_tcp, bind_unix
from aether.wire import frames
from aether.wire.limits import TransportLimits
from tests.conformance.wire_peer import REQUEST, Frame, message, with_fields
from tests.conformance.wire_server import RunningServer, running_server

WAIT_S = 20.0


class RawSocket:
    """A client by hand on a real socket."""

    def __init__(self, address: str, *, greet: bool = True) -> None:
        self.sock = socket.socket(socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET)
        self.sock.settimeout(WAIT_S)
        host, _, port = address.rpartition(":")
        self.sock.connect(address.removeprefix("unix://") if address.startswith("unix:") else (host, int(port)))
        self._encoder = hpack.Encoder()
        self._rest = b""
        if greet:
            self.send(frames.PREFACE, frames.settings(()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *data: bytes) -> None:
        self.sock.sendall(b"".join(data))

    def headers(self, stream: int, *, end: bool = False, path: bytes = b"/test.Echo/Unary", **changes: Any) -> bytes:
        fields = with_fields(REQUEST, P_path=path, **changes)
        return frames.headers(stream, self._encoder.encode(fields), end_stream=end)

    def unary(self, stream: int, content: bytes, **changes: Any) -> None:
        self.send(self.headers(stream, **changes), frames.frame(0, frames.END_STREAM, stream, message(content)))

    def frames(self) -> Iterator[Frame]:
        """Frames until the server closes."""
        while True:
            while len(self._rest) >= 9:
                word, flags, stream = struct.unpack_from(">IBI", self._rest)
                end = 9 + (word >> 8)
                if len(self._rest) < end:
                    break
                frame = Frame(word & 0xFF, flags, stream, self._rest[9:end])
                self._rest = self._rest[end:]
                yield frame
            try:
                data = self.sock.recv(65_536)
            except ConnectionResetError:
                return
            if not data:
                return
            self._rest += data

    def until(self, kind: int, stream: int | None = None) -> Frame:
        for frame in self.frames():
            if frame.kind == kind and stream in {None, frame.stream}:
                return frame
        raise AssertionError("the server has closed the connection")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def grpc_status(frame: Frame) -> bytes:
    fields = {bytes(field[0]): bytes(field[1]) for field in hpack.Decoder().decode(frame.payload, raw=True)}
    return fields[b"grpc-status"]


def served(server: RunningServer) -> bool:
    """True when a fresh client is served."""
    with grpc.insecure_channel(server.address) as channel:
        return bool(channel.unary_unary("/test.Echo/Unary")(b"alive", timeout=WAIT_S) == b"alive")


MALFORMED = {
    "path with one segment": {"path": b"/one"},
    "path with three segments": {"path": b"/a/b/c"},
    "no te": {"te": None},
    "no content-type": {"content_type": None},
    "other content-type": {"content_type": b"application/json"},
    "GET": {"P_method": b"GET"},
    "bad grpc-timeout": {"grpc_timeout": b"tomorrow"},
    "value that is not UTF-8": {"x_value": b"\xff\xfe"},
    "upper-case name": {"X_Upper": b"1"},
    "CR LF in a value": {"x_value": b"a\r\nb"},
    "header list above the limit": {"x_value": b"v" * 20_000},
}


@pytest.mark.parametrize("changes", MALFORMED.values(), ids=MALFORMED.keys())
def test_01_a_malformed_request_concerns_itself_only(server, changes):
    with RawSocket(server.address) as client:
        client.unary(1, b"bad", **changes)
        client.unary(3, b"good")
        ended = {}
        for frame in client.frames():
            if frame.kind in {frames.HEADERS, frames.RST_STREAM}:
                ended[frame.stream] = frame
            if frame.stream == 3 and frame.kind == frames.HEADERS and frame.flags & frames.END_STREAM:
                break
        assert set(ended) == {1, 3}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frames.frame(frames.DATA, 0, 1, b"x"), id="DATA on an idle stream"),
        pytest.param(frames.window_update(0, 0), id="WINDOW_UPDATE of nothing"),
        pytest.param(b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", id="a frame that is too large"),
    ],
)
def test_01_a_connection_that_cannot_go_on_is_told_why_and_closed(server, data):
    with RawSocket(server.address) as client:
        client.send(data)
        assert client.until(frames.GOAWAY).code != 0
        assert list(client.frames()) == []
    assert served(server)


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", bytes(range(255, 0, -1)) * 400]
)
def test_01_garbage_is_answered_with_goaway_and_closed(server, junk):
    with RawSocket(server.address, greet=False) as client:
        client.send(junk)
        assert client.until(frames.GOAWAY).code == frames.ErrorCode.PROTOCOL_ERROR
        assert list(client.frames()) == []
    assert served(server)


def test_02_a_message_beyond_the_limit_is_an_rpc_error_and_neighbours_are_served(server):
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        call = channel.unary_unary("/test.Echo/Unary")
        pending = call.future(bytes(64 * 1024 * 1024), timeout=WAIT_S)
        for _ in range(20):
            assert call(b"neighbour", timeout=WAIT_S) == b"neighbour"
            assert served(server)
        with pytest.raises(grpc.RpcError) as caught:
            pending.result()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_03_gzip_requests_are_inflated_within_bounds(server):
    with grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary("/test.Echo/Unary")
        assert call(b"z" * 100_000, timeout=WAIT_S) == b"z" * 100_000
    with RawSocket(server.address) as client:
        bomb = message(gzip.compress(bytes(64 * 1024 * 1024), 9), flag=1)
        client.send(client.headers(1, grpc_encoding=b"gzip"))
        for at in range(0, len(bomb), frames.MAX_FRAME):
            client.send(frames.frame(frames.DATA, 0, 1, bomb[at : at + frames.MAX_FRAME]))
        trailers = client.until(frames.HEADERS, 1)
        assert grpc_status(trailers) == b"8"


def test_04_a_vanished_client_with_an_idle_stream_leaves_nothing_behind(server):
    tasks, files = server.stats()
    before = server.seen.count("bidi", "lost")
    clients = [RawSocket(server.address) for _ in range(200)]
    for client in clients:
        client.send(client.headers(1, path=b"/test.Echo/Bidi"))
    server.seen.wait("bidi", "started", before + 200)
    for client in clients:
        client.sock.close()
    server.seen.wait("bidi", "lost", before + 200)
    until = perf_counter() + WAIT_S
    while server.stats() > (tasks, files) and perf_counter() < until:
        assert served(server)
    assert server.stats() <= (tasks, files)


def test_05_a_cancelled_call_reaches_its_handler_at_once(server):
    resets, starts = server.seen.count("hold", "reset"), server.seen.count("hold", "started")
    with grpc.insecure_channel(server.address) as channel:
        pending = channel.unary_unary("/test.Echo/Hold").future(b"")
        server.seen.wait("hold", "started", starts + 1)
        pending.cancel()
        server.seen.wait("hold", "reset", resets + 1)


def test_06_a_deadline_is_enforced_by_the_server(server):
    before = server.seen.count("hold", "deadline")
    with RawSocket(server.address) as client:
        client.unary(1, b"", path=b"/test.Echo/Hold", grpc_timeout=b"50m")
        trailers = client.until(frames.HEADERS, 1)
        assert grpc_status(trailers) == b"4"
    server.seen.wait("hold", "deadline", before + 1)


def test_07_a_handlers_exception_is_unknown_and_leaks_nothing(server):
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Boom")(b"", timeout=WAIT_S)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert caught.value.details().startswith("internal error; the server's log tells more of request 127.0.0.1:")


def test_08_handlers_have_metadata_both_ways_and_the_peer(server):
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary("/test.Echo/Metadata")
        answer, done = call.with_call(b"", metadata=[("x-a", "1"), ("x-b-bin", b"\x00")], timeout=WAIT_S)
    initial, trailing = dict(done.initial_metadata()), dict(done.trailing_metadata())
    assert b"x-a='1'" in answer
    assert initial["seen-peer"].startswith("127.0.0.1:")
    assert initial["x-bin"] == b"\x00\xff"
    assert trailing["x-trailer"] == "last"


def test_09_a_reader_that_does_not_read_holds_back_only_itself(server):
    with RawSocket(server.address) as client:
        client.send(frames.settings([(frames.SETTING_WINDOW, frames.MAX_WINDOW)]))
        client.send(frames.window_update(0, frames.MAX_WINDOW - frames.DEFAULT_WINDOW))
        client.unary(1, b"200000", path=b"/test.Echo/Flow")
        assert served(server)


def test_10_running_out_of_descriptors_does_not_end_the_server(caplog):
    with running_server() as server:
        assert served(server)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        clients = []
        with caplog.at_level("INFO", "aether.transport"):
            resource.setrlimit(resource.RLIMIT_NOFILE, (server.stats()[1] + 20, hard))
            try:
                until = perf_counter() + WAIT_S
                while (
                    not any(record.message == "accept_failed" for record in caplog.records) and perf_counter() < until
                ):
                    try:
                        clients.append(RawSocket(server.address, greet=False))
                    except OSError as error:
                        if error.errno != errno.EMFILE:
                            raise
                        # Both sides share one table of files: the place that this frees is then the server's lack.
                        clients.pop().sock.close()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for client in clients:
                    client.sock.close()
        assert "accept_failed" in caplog.messages
        assert served(server)


def test_11_a_second_server_on_the_same_port_is_told_so(server):
    with pytest.raises(BindError, match="in use"):
        bind_tcp("127.0.0.1", server.port)
    assert server.address.startswith("127.0.0.1:")


def test_12_draining_lets_a_call_finish_and_refuses_new_ones():
    with running_server() as server, grpc.insecure_channel(server.address) as channel:
        requests = iter([b"one"])
        stream = channel.stream_stream("/test.Echo/Bidi")(_until_drained(requests, server))
        assert list(stream) == [b"one", b"after the drain began"]
        server.join()
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/test.Echo/Unary")(b"", timeout=WAIT_S)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def _until_drained(requests: Iterator[bytes], server: RunningServer) -> Iterator[bytes]:
    yield from requests
    server.seen.wait("bidi", "started")
    server.drain(WAIT_S)
    until = perf_counter() + WAIT_S
    while perf_counter() < until:
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            break
        except ConnectionError:
            continue  # it was in the queue of a listener that closed
    yield b"after the drain began"


def test_13_a_thousand_open_streams_do_not_slow_each_other_down_and_leave_nothing():
    with running_server() as server, RawSocket(server.address) as client:
        assert served(server)
        tasks, _ = server.stats()
        calls, work = server.count_calls(), [0]
        for half in (range(1, 1_000, 2), range(1_001, 2_000, 2)):
            client.send(*(client.headers(stream, path=b"/test.Echo/Bidi") for stream in half))
            server.seen.wait("bidi", "started", 500 * len(work))
            work.append(calls())
        assert work[2] - work[1] < 1.5 * work[1]
        assert server.stats()[0] <= tasks + 4  # the connection's own: no task per call
        for stream in range(1, 2_000, 2):
            client.send(frames.rst_stream(stream, frames.ErrorCode.CANCEL))
        server.seen.wait("bidi", "reset", 1_000)
        client.unary(2_001, b"on")
        assert client.until(frames.DATA).payload == message(b"on")


@pytest.mark.parametrize("flood", [frames.ping(b"12345678"), frames.settings(()), frames.window_update(0, 1)])
def test_14_a_flood_of_control_frames_is_cut_off_while_others_are_served(server, flood):
    with RawSocket(server.address) as client:
        client.sock.settimeout(1.0)
        _push(client, flood * 5_000, times=100)
        assert served(server)
        client.sock.settimeout(WAIT_S)
        with pytest.raises((AssertionError, ConnectionError)):
            while True:
                assert client.until(frames.PING if flood[3] == frames.PING else frames.SETTINGS)


def _push(client: RawSocket, data: bytes, *, times: int) -> None:
    try:
        for _ in range(times):
            client.send(data)
    except (TimeoutError, ConnectionError):
        return


def test_15_rapid_reset_is_cut_off():
    with running_server() as server, RawSocket(server.address) as client:
        calls = server.count_calls()
        for first in range(1, 40_000, 200):
            pairs = [client.headers(n) + frames.rst_stream(n, 8) for n in range(first, first + 200, 2)]
            try:
                client.send(*pairs)
            except ConnectionError:
                break
        assert client.sock.fileno() >= 0
        last = [frame for frame in client.frames() if frame.kind == frames.GOAWAY]
        assert not last or last[-1].code == frames.ErrorCode.ENHANCE_YOUR_CALM
        assert calls() < 200_000
        assert served(server)


def test_16_aborted_uploads_are_credited_back():
    limits = TransportLimits(connection_window=100_000)
    with running_server(limits=limits) as server, RawSocket(server.address) as client:
        window = 100_000
        for stream in range(1, 201, 2):
            while window < 20_000:
                window += client.until(frames.WINDOW_UPDATE, 0).code
            part = frames.frame(frames.DATA, 0, stream, b"\x00\x00\x01\x00\x00" + b"x" * 9_995)
            client.send(client.headers(stream), part, frames.rst_stream(stream, 8))
            window -= 10_000
        client.unary(999, b"still")
        assert client.until(frames.DATA).payload == message(b"still")


def test_17_silence_is_noticed_before_and_after_the_handshake():
    limits = TransportLimits(handshake_s=0.2, keepalive_s=0.2, keepalive_timeout_s=0.2)
    with running_server(limits=limits) as server:
        with RawSocket(server.address, greet=False) as mute:
            assert mute.until(frames.GOAWAY).code == frames.ErrorCode.SETTINGS_TIMEOUT
        with RawSocket(server.address) as client:
            client.send(client.headers(1, path=b"/test.Echo/Bidi"))
            assert client.until(frames.PING).flags == 0
            server.seen.wait("bidi", "lost")
        with RawSocket(server.address) as idle:
            idle.send(frames.ping(b"12345678"))
            assert idle.until(frames.PING).flags == frames.ACK


def test_18_no_client_is_promised_more_than_one_server_can_hold(server):
    with RawSocket(server.address) as client:
        settings = dict(frames.iter_settings(client.until(frames.SETTINGS).payload))
    assert settings == {frames.SETTING_STREAMS: 1_000, frames.SETTING_WINDOW: 2**20, frames.SETTING_HEADER_LIST: 2**14}


def test_19_unix_sockets_are_served(tmp_path):
    path = tmp_path / "aether.sock"
    with running_server(listeners=[bind_unix(path)]) as server:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert channel.unary_unary("/test.Echo/Unary")(b"hello", timeout=WAIT_S) == b"hello"
        with pytest.raises(BindError, match="in use"):
            bind_unix(path)
        assert server.address == f"unix://{path}"
    assert not path.exists()


def test_20_a_handlers_exception_is_logged_with_its_cause(server, caplog):
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/test.Echo/Boom")(b"", timeout=WAIT_S)
    (record,) = [record for record in caplog.records if record.message == "handler_failed"]
    assert record.fields["path"] == "/test.Echo/Boom"
    assert isinstance(record.exc_info[1], RuntimeError)
