"""grpcio's clients, blocking and asyncio, plain and over TLS, against our server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import attrs
import grpc
import grpc.aio
import pytest

from aether.sdk.transport import Transport, client_tls
from aether.server.listener import server_tls
from aether.wire.status import Code, RpcError
from tests.conformance.wire_server import RunningServer, running_server

WAIT_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as opened:
        yield opened


def test_unary_calls_of_every_size(channel):
    call = channel.unary_unary("/test.Echo/Unary")
    for size in (0, 1, 1_000, 16_384, 100_000, 4 * 1024 * 1024 - 10):
        assert call(b"x" * size, timeout=WAIT_S) == b"x" * size


def test_a_status_with_details(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Status")("schön %".encode(), timeout=WAIT_S)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "schön %"
    assert dict(caught.value.trailing_metadata())["grpc-status-details-bin"] == b"\x08\x09details"


def test_an_unknown_method(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/no.Service/None")(b"", timeout=WAIT_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_is_kept(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Hold")(b"", timeout=0.1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_server_stream_with_back_pressure(channel):
    got = [len(item) for item in channel.unary_stream("/test.Echo/Flow")(b"5000", timeout=WAIT_S)]
    assert got == [1000] * 5000


def test_a_bidirectional_stream(channel):
    sent = [b"%d" % number * (number % 100) for number in range(3_000)]
    assert list(channel.stream_stream("/test.Echo/Bidi")(iter(sent), timeout=WAIT_S)) == sent


def test_a_cancelled_stream_reaches_the_handler(server, channel):
    before = server.seen.count("bidi", "reset")
    over = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"a"
        over.wait(WAIT_S)

    stream = channel.stream_stream("/test.Echo/Bidi")(requests(), timeout=WAIT_S)
    assert next(stream) == b"a"
    stream.cancel()
    server.seen.wait("bidi", "reset", before + 1)
    over.set()


def test_keepalive_pings_of_a_client_are_answered(server):
    options = [
        ("grpc.keepalive_time_ms", 50),
        ("grpc.keepalive_timeout_ms", 2_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with grpc.insecure_channel(server.address, options=options) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/test.Echo/Hold")(b"", timeout=0.5)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert channel.unary_unary("/test.Echo/Unary")(b"on", timeout=WAIT_S) == b"on"


def test_the_asyncio_client(server):
    async def requests(count: int) -> AsyncIterator[bytes]:
        for number in range(count):
            yield b"%d" % number

    async def main() -> None:
        async with grpc.aio.insecure_channel(server.address) as channel:
            unary = channel.unary_unary("/test.Echo/Unary")
            answers = await asyncio.gather(*(unary(b"%d" % number, timeout=WAIT_S) for number in range(500)))
            assert answers == [b"%d" % number for number in range(500)]
            bidi = channel.stream_stream("/test.Echo/Bidi")(requests(500), timeout=WAIT_S)
            assert [item async for item in bidi] == answers
            flow = channel.unary_stream("/test.Echo/Flow")(b"2000", timeout=WAIT_S)
            assert sum([len(item) async for item in flow]) == 2_000_000

    asyncio.run(main())


@attrs.frozen
class Certificates:
    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")

    def run(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    for name in ("server", "client"):
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext", "-days", "2"]
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    pairs = [(folder / f"{name}.pem", folder / f"{name}.key") for name in ("server", "client")]
    return Certificates(folder / "ca.pem", *pairs)


@pytest.mark.parametrize("is_mutual", [False, True])
def test_tls_with_grpcio_and_with_our_client(certificates, is_mutual):
    tls = server_tls(*certificates.server, client_ca=certificates.ca if is_mutual else None)
    shown = certificates.client if is_mutual else (None, None)
    ca = certificates.ca.read_bytes()
    chain, key = (path.read_bytes() if path else None for path in shown)

    async def ours(address: str) -> None:
        paths = {"certificate": str(shown[0]), "key": str(shown[1])} if is_mutual else {}
        context = client_tls(ca=str(certificates.ca), **paths)
        async with Transport(f"https://{address}", tls=context) as transport:
            assert await transport.unary("/test.Echo/Unary", b"x" * 300_000, timeout_s=WAIT_S) == b"x" * 300_000

    with running_server(tls=tls) as server:
        credentials = grpc.ssl_channel_credentials(ca, key, chain)
        with grpc.secure_channel(server.address, credentials) as channel:
            call = channel.unary_unary("/test.Echo/Unary")
            assert call(b"x" * 300_000, timeout=WAIT_S) == b"x" * 300_000
        for backend in ("trio", "asyncio"):
            anyio.run(ours, server.address, backend=backend)


def test_a_client_that_shows_no_certificate_is_not_let_in(certificates):
    tls = server_tls(*certificates.server, client_ca=certificates.ca)

    async def ours(address: str) -> None:
        async with Transport(f"https://{address}", tls=client_tls(ca=str(certificates.ca))) as transport:
            with pytest.raises(RpcError) as caught:
                await transport.unary("/test.Echo/Unary", b"", timeout_s=WAIT_S)
        assert caught.value.code == Code.UNAVAILABLE

    with running_server(tls=tls) as server:
        anyio.run(ours, server.address, backend="trio")


def test_a_tls_client_that_does_not_ask_for_http2_is_not_let_in(certificates):
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with running_server(tls=server_tls(*certificates.server)) as server:
        plain = socket.create_connection(("127.0.0.1", server.port), WAIT_S)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
            assert wrapped.selected_alpn_protocol() is None
            assert wrapped.recv(100) == b""
        with socket.create_connection(("127.0.0.1", server.port), WAIT_S) as junk:
            junk.sendall(b"not TLS at all" * 100)
            assert junk.recv(100)[:1] in {b"", b"\x15"}
        with pytest.raises(grpc.RpcError), grpc.insecure_channel(server.address) as channel:
            channel.unary_unary("/test.Echo/Unary")(b"", timeout=1)
