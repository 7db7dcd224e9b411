"""One connection of HTTP, byte for byte, and what breaks the protocol."""

import json
import random
from functools import partial

import pytest
import trio
import trio.testing
from attrs import evolve

from aether.server.http.connection import HttpConnection
from aether.server.http.limits import HttpLimits
from aether.server.http.messages import HttpError, Request, Response, as_json

LIMITS = HttpLimits(head_max=2_000, body_max=1_000, head_s=5, body_s=5, idle_s=10, send_s=5, send_piece=100)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /echo?a=1&b=%20x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"


async def handle(request: Request) -> Response:
    if request.path == "/boom":
        raise RuntimeError("secret")
    if request.path == "/teapot":
        raise HttpError(418, "short and stout", code="TEAPOT")
    if request.path == "/long":
        return Response(200, b"x" * 1_234)
    if request.path == "/stream":

        async def stream(send) -> None:
            for number in range(3):
                await send(f"{number}\n".encode())

        return Response(200, stream=stream)
    return as_json([request.method, request.path, dict(request.query), request.body.decode("latin-1")])


def answers(raw: bytes) -> list[tuple[int, bytes]]:
    """(status, body) of each response in it."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if fields.get(b"transfer-encoding") == b"chunked":
            body = b""
            while True:
                size, _, rest = rest.partition(b"\r\n")
                length = int(size, 16)
                body, rest = body + rest[:length], rest[length + 2 :]
                if not length:
                    break
        else:
            length = int(fields.get(b"content-length", b"0")) if status != 100 else 0
            body, rest = rest[:length], rest[length:]
        found.append((status, body))
        raw = rest
    return found


async def _exchange(data: bytes, limits: HttpLimits = LIMITS, *, ends: bool = True) -> bytes:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(HttpConnection(theirs, handle, limits).run)
        try:
            await ours.send_all(data)
            if ends:
                await ours.send_eof()
        except trio.BrokenResourceError:
            pass
        received = b""
        while chunk := await ours.receive_some():
            received += bytes(chunk)
        return received


def exchange(data: bytes, limits: HttpLimits = LIMITS, *, ends: bool = True) -> list[tuple[int, bytes]]:
    clock = trio.testing.MockClock(autojump_threshold=0.02)
    return answers(trio.run(partial(_exchange, data, limits, ends=ends), clock=clock))


def test_a_request_arrives_with_its_query_and_body():
    ((status, body),) = exchange(POST)
    assert status == 200
    assert json.loads(body) == ["POST", "/echo", {"a": "1", "b": " x"}, "hello"]


def test_several_requests_follow_each_other_on_one_connection():
    assert [status for status, _ in exchange(GET + POST + GET)] == [200, 200, 200]
    assert [status for status, _ in exchange(GET.replace(b"host: x", b"host: x\r\nconnection: close") + GET)] == [200]


def test_a_long_body_comes_whole_and_a_head_request_gets_none():
    ((_, body),) = exchange(GET.replace(b"GET /", b"GET /long"))
    assert body == b"x" * 1_234
    clock = trio.testing.MockClock(autojump_threshold=0.02)
    raw = trio.run(partial(_exchange, GET.replace(b"GET /", b"HEAD /long")), clock=clock)
    assert b"content-length: 1234\r\n" in raw
    assert raw.endswith(b"\r\n\r\n")


def test_a_stream_is_sent_as_it_comes():
    # The peer must stay: its end is the sign that nobody listens any more.
    found = exchange(GET.replace(b"GET /", b"GET /stream"), ends=False)
    assert found == [(200, b"0\n1\n2\n")]


def test_a_handler_that_fails_is_an_answer_that_tells_nothing(caplog):
    caplog.set_level("INFO", "aether.server")
    found = exchange(GET.replace(b"GET /", b"GET /boom") + GET)
    assert [status for status, _ in found] == [500, 200]
    assert b"secret" not in found[0][1]
    assert "http_failed" in caplog.text


def test_an_error_says_what_is_wrong():
    ((status, body),) = exchange(GET.replace(b"GET /", b"GET /teapot"))
    assert (status, json.loads(body)) == (418, {"error": {"code": "TEAPOT", "message": "short and stout"}})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 3_000, 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + b"y" * 2_000, 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET http://other/ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /?" + b"a=1&" * 60 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    ],
)
def test_what_breaks_the_rules_is_refused(data, status):
    found = exchange(data)
    assert [each for each, _ in found] == [status]


def test_a_peer_that_asks_whether_to_go_on_is_told_to():
    data = POST.replace(b"content-length", b"expect: 100-continue\r\ncontent-length").removesuffix(b"hello")

    async def main() -> bytes:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(HttpConnection(theirs, handle, LIMITS).run)
            await ours.send_all(data)
            first = bytes(await ours.receive_some())
            assert first.startswith(b"HTTP/1.1 100 ")
            await ours.send_all(b"hello")
            await ours.send_eof()
            return bytes(await ours.receive_some())

    assert trio.run(main).startswith(b"HTTP/1.1 200 ")


def test_who_sends_too_slowly_or_says_nothing_is_let_go():
    assert [status for status, _ in exchange(b"GET / HT", ends=False)] == [408]
    assert exchange(b"", ends=False) == []
    assert [status for status, _ in exchange(POST[:-1], ends=False)] == [408]


async def _until_closed(*, pieces: list[bytes], every_s: float) -> tuple[float, bytes]:
    """When a connection is closed on which each piece comes so long after the one before, and what it was told."""
    ours, theirs = trio.testing.memory_stream_pair()
    received = b""

    async def trickle() -> None:
        for piece in pieces:
            await ours.send_all(piece)
            await trio.sleep(every_s)

    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(HttpConnection(theirs, handle, LIMITS).run)
        nursery.start_soon(trickle)
        while chunk := await ours.receive_some():
            received += bytes(chunk)
        ended = trio.current_time() - began
        nursery.cancel_scope.cancel()
    return ended, received


@pytest.mark.parametrize(
    ("pieces", "every_s", "ended", "statuses"),
    [
        ([], 0, 5, []),
        # A byte now and then makes the bound no longer.
        ([b"G", b"E", b"T", b" ", b"/", b" ", b"H"], 1, 5, [408]),
        ([b"", b"G"], 4, 5, [408]),
        # After an answer it may rest for longer; the next head has as long as the first.
        ([GET], 0, 10, [200]),
        ([GET, b"G"], 9, 14, [200, 408]),
        ([GET, GET], 9, 19, [200, 200]),
        ([POST[:-5], b"h"], 4, 5, [408]),
    ],
)
def test_the_head_of_a_request_comes_within_a_bound(pieces, every_s, ended, statuses):
    clock = trio.testing.MockClock(autojump_threshold=0.02)
    at, received = trio.run(partial(_until_closed, pieces=pieces, every_s=every_s), clock=clock)
    assert (round(at, 3), [status for status, _ in answers(received)]) == (ended, statuses)


def friends(request: Request) -> None:
    if request.headers["host"] != "friend":
        raise HttpError(401, "who are you?")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nhost: friend\r\ncontent-length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n", 401),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + b"x" * 101, 401),
    ],
)
def test_a_body_that_will_not_be_taken_is_not_waited_for(data, status):
    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(HttpConnection(theirs, handle, evolve(LIMITS, stranger_body_max=100), friends).run)
            began = trio.current_time()
            await ours.send_all(data)
            answer = b""
            while chunk := await ours.receive_some():
                answer += bytes(chunk)
            assert [each for each, _ in answers(answer)] == [status]
            assert trio.current_time() == began
            # A connection that is closed on what the peer still sends would take the answer away from it.
            await ours.send_all(b"x" * 100_000)
            await trio.testing.wait_all_tasks_blocked()
            await ours.send_all(b"x")
            await trio.sleep(LIMITS.linger_s + 1)
            with pytest.raises(trio.BrokenResourceError):
                await ours.send_all(b"x")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.02))


def test_an_upgrade_is_not_made_and_what_follows_it_does_no_harm():
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert exchange(upgrade + b"\x81")[0][0] == 200


def test_no_mutation_of_requests_gets_through_the_wall(caplog):
    """Deterministic noise: cut, doubled, flipped and swapped requests; nothing may escape from `run`."""
    caplog.set_level("INFO", "aether.server")
    seeds = [
        GET,
        POST,
        GET.replace(b"GET /", b"GET /stream"),
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ]
    seeds.append(
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: aaaa\r\n\r\n"
    )
    seeds.append(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    draw = random.Random(20_261_125)

    async def main() -> None:
        for _ in range(600):
            data = bytearray(draw.choice(seeds))
            for _ in range(draw.randint(1, 6)):
                at = draw.randrange(len(data) + 1)
                data[at : at + draw.randint(0, 4)] = draw.choice(
                    [b"", b"\x00", b"\r\n", b"\n", b":", b" ", bytes([draw.randrange(256)]), b"0" * draw.randint(1, 40)]
                )
            await _exchange(bytes(data) + draw.choice([b"", GET]))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
