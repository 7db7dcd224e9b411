"""How fast the transport is, beside grpc.aio and purerpc: `python benchmarks/transport.py --purerpc-venv DIR`.

One load generator for all of them: a process of its own that writes precomputed frames to a raw socket and counts what
comes back, so that the server is what gets tired. Servers take turns within a round, and only ratios within a round
count, for the machine is never quiet. Handlers do nothing: unary calls and session batches are echoed.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVERS = ("aether", "grpc.aio", "purerpc")
UNARY, SESSION = "/bench.Echo/Unary", "/bench.Echo/Session"
PAYLOAD = 200  # octets of one unary message and of one item of a batch
IN_FLIGHT = 64
BATCH = 64
BATCHES_IN_FLIGHT = 8
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


# Servers. Each prints its port and serves until it is killed.


def serve_aether() -> None:
    import trio

    from aether.server.connection import Method
    from aether.server.listener import bind_tcp, serve_connections

    def session(call) -> None:
        call.on_message = call.send
        call.on_half_close = call.finish

    methods = [Method(UNARY, lambda call, request: call.respond(request), "unary"), Method(SESSION, session, "stream")]
    listener = bind_tcp("127.0.0.1", 0)
    print(listener.port, flush=True)
    trio.run(serve_connections, [listener], methods)


def serve_grpc_aio() -> None:
    import asyncio

    import grpc

    async def unary(request, context):
        return request

    async def session(requests, context):
        async for request in requests:
            yield request

    async def main() -> None:
        server = grpc.aio.server()
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Session": grpc.stream_stream_rpc_method_handler(session),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()

    asyncio.run(main())


def serve_purerpc() -> None:
    import purerpc

    class Raw:
        def __init__(self, data=b""):
            self.data = data

        def ParseFromString(self, data):  # noqa: N802 - the name that purerpc calls
            self.data = bytes(data)

        def SerializeToString(self):  # noqa: N802 - likewise
            return self.data

    service = purerpc.Service("bench.Echo")
    kinds = purerpc.Cardinality

    async def unary(request):
        return request

    async def session(requests):
        async for request in requests:
            yield request

    service.add_method("Unary", unary, purerpc.RPCSignature(kinds.UNARY_UNARY, Raw, Raw))
    service.add_method("Session", session, purerpc.RPCSignature(kinds.STREAM_STREAM, Raw, Raw))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = purerpc.Server(port)
    server.add_service(service)
    print(port, flush=True)
    server.serve(backend="trio")


SERVE: dict[str, Callable[[], None]] = {
    "aether": serve_aether,
    "grpc.aio": serve_grpc_aio,
    "purerpc": serve_purerpc,
}


# The load generator.


def literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(length: int, kind: int, flags: int) -> bytes:
    return struct.pack(">IB", length << 8 | kind, flags)


def request_block(path: str) -> bytes:
    fields = [(b":path", path.encode()), (b":authority", b"b"), (b"te", b"trailers")]
    block = b"\x83\x86" + b"".join(literal(*field) for field in fields)
    return block + literal(b"content-type", b"application/grpc")


class Load:
    """One connection that asks as fast as it is answered."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._window = 65_535
        self.data_octets = 0
        settings = struct.pack(">HIHI", 4, 2**31 - 1, 3, 0)
        self._sock.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + head(len(settings), 4, 0)
            + bytes(4)
            + settings
            + head(4, 8, 0)
            + bytes(4)
            + struct.pack(">I", 2**31 - 1 - 65_535)
        )

    def close(self) -> None:
        self._sock.close()

    def receive(self) -> tuple[int, int]:
        """Reads once: how many streams ended, and how many octets of DATA came."""
        data = self._rest + self._sock.recv(1 << 20)
        if data == self._rest:
            raise ConnectionError("the server has closed the connection")
        at, size, ended, octets = 0, len(data), 0, 0
        unpack = struct.Struct(">IBI").unpack_from
        while size - at >= 9:
            word, flags, stream = unpack(data, at)
            end = at + 9 + (word >> 8)
            if end > size:
                break
            kind = word & 0xFF
            if kind == 0:
                octets += word >> 8
            elif kind == 1:
                ended += flags & 1
            else:
                self._control(kind, flags, stream, data[at + 9 : end])
            at = end
        self._rest = data[at:]
        self.data_octets += octets
        return ended, octets

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 8 and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == 6 and not flags:
            self._sock.sendall(head(8, 6, 1) + bytes(4) + payload)
        elif kind == 4 and not flags:
            self._sock.sendall(head(0, 4, 1) + bytes(4))
        elif kind in {3, 7} and int.from_bytes(payload[-4:] if kind == 3 else payload[4:8], "big"):
            raise ConnectionError(f"the server resets or goes away: {payload!r}")

    def unary(self, seconds: float) -> int:
        """Calls that were answered within the time."""
        block = request_block(UNARY)
        body = bytes(1) + PAYLOAD.to_bytes(4, "big") + b"x" * PAYLOAD
        first, second, tail = head(len(block), 1, 4), block + head(len(body), 0, 1), body
        stream, waiting, done, owed = 1, 0, 0, IN_FLIGHT
        until = time.perf_counter() + seconds
        while True:
            allowed = min(owed, self._window // len(body))
            if allowed:
                ids = [struct.pack(">I", number) for number in range(stream, stream + 2 * allowed, 2)]
                self._sock.sendall(b"".join([part for i in ids for part in (first, i, second, i, tail)]))
                stream += 2 * allowed
                owed -= allowed
                waiting += allowed
                self._window -= allowed * len(body)
            ended, _ = self.receive()
            done += ended
            waiting -= ended
            if time.perf_counter() < until:
                owed += ended
            elif not waiting:
                break
            else:
                owed = 0
        assert self.data_octets == done * len(body), "an answer has the wrong length"
        return done

    def session(self, seconds: float) -> int:
        """Items that came back within the time."""
        block = request_block(SESSION)
        one = bytes(1) + (PAYLOAD * BATCH).to_bytes(4, "big") + b"x" * PAYLOAD * BATCH
        frame = head(len(one), 0, 0) + struct.pack(">I", 1) + one
        self._sock.sendall(head(len(block), 1, 4) + struct.pack(">I", 1) + block)
        sent = 0
        stream_window = 65_535  # until the server says otherwise, as one that never says must be served, too
        until = time.perf_counter() + seconds
        while True:
            done = self.data_octets // len(one)
            is_over = time.perf_counter() >= until
            if is_over and done == sent:
                return done * BATCH
            allowed = 0 if is_over else min(BATCHES_IN_FLIGHT - (sent - done), self._window // len(one))
            room = (stream_window + self.stream_credit - sent * len(one)) // len(one)
            allowed = min(allowed, room)
            if allowed > 0:
                self._sock.sendall(frame * allowed)
                sent += allowed
                self._window -= allowed * len(one)
            self.receive()

    stream_credit = 2**31  # set by `follow`


def follow(load: Load) -> None:
    """Counts what the server allows on stream 1, beginning with its settings."""
    load.stream_credit = 0
    inner = load._control

    def control(kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 8 and stream == 1:
            load.stream_credit += int.from_bytes(payload, "big")
        elif kind == 4 and not flags:
            for key, value in struct.iter_unpack(">HI", payload):
                if key == 4:
                    load.stream_credit += value - 65_535
        inner(kind, flags, stream, payload)

    load._control = control  # type: ignore[method-assign]


def generate(case: str, port: int, seconds: float) -> None:
    load = Load(port)
    if case == "session":
        follow(load)
    started = time.perf_counter()
    done = load.unary(seconds) if case == "unary" else load.session(seconds)
    took = time.perf_counter() - started
    load.close()
    own = time.process_time()
    print(json.dumps({"done": done, "took": took, "own": own}), flush=True)


# Measuring.


class Server:
    def __init__(self, name: str, python: str) -> None:
        self.name = name
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [python, __file__, "--serve", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._await_listening()

    def _await_listening(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise ConnectionError(f"{self.name} does not listen")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def measure(server: Server, case: str, seconds: float) -> tuple[float, float, float]:
    """Operations a second, microseconds of the server's CPU per operation, and the generator's share of a core."""
    before = server.cpu_s()
    command = [sys.executable, __file__, "--generate", case, "--port", str(server.port), "--seconds", str(seconds)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    result = json.loads(run.stdout)
    cpu = (server.cpu_s() - before) / max(result["done"], 1) * 1e6
    return result["done"] / result["took"], cpu, result["own"] / result["took"]


def purerpc_python(folder: Path | None) -> str | None:
    if folder is None:
        print("purerpc: skipped (no --purerpc-venv given)", file=sys.stderr)
        return None
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "purerpc==0.8.0", "trio"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"purerpc: skipped, it cannot be installed: {done.stderr.strip()[-200:]}", file=sys.stderr)
            return None
    return str(python)


def compare(rounds: int, seconds: float, folder: Path | None) -> None:
    pythons = {"aether": sys.executable, "grpc.aio": sys.executable, "purerpc": purerpc_python(folder)}
    servers = [Server(name, python) for name, python in pythons.items() if python]
    results: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    try:
        for _ in range(rounds):
            for case in ("unary", "session"):
                for server in servers:
                    results.setdefault((case, server.name), []).append(measure(server, case, seconds))
    finally:
        for server in servers:
            server.stop()
    for case, what in (("unary", f"calls, {IN_FLIGHT} in flight"), ("session", f"items, {BATCH} to a message")):
        print(f"\n{case}: {what}, {PAYLOAD} B each, {rounds} rounds of {seconds} s")
        print(f"{'server':10} {'per s':>10} {'CPU us':>8} {'load gen':>9} {'aether is':>10}")
        ours = results[case, "aether"]
        for server in servers:
            found = results[case, server.name]
            ratio = statistics.median(mine[0] / other[0] for mine, other in zip(ours, found, strict=True))
            rate, cpu, own = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{server.name:10} {rate:10,.0f} {cpu:8.1f} {own:9.0%} {ratio:9.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--purerpc-venv", type=Path, help="a virtual environment for purerpc, made if it is not there")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--generate", choices=("unary", "session"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        SERVE[options.serve]()
    elif options.generate:
        generate(options.generate, options.port, options.seconds)
    else:
        compare(options.rounds, options.seconds, options.purerpc_venv)


if __name__ == "__main__":
    main()
