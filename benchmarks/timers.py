"""Sleeping runs: what they cost while they sleep, how late they wake, and whether either grows with how many there are.

    python benchmarks/timers.py [--sleepers N] [--due N] [--folder DIR]

A server, a worker that keeps few runs in memory, and this client, each a process of its own. First the wheel by itself:
CPU for each timer that is armed and fires beside more and more sleepers. Then N runs that sleep for a day, in steps:
the memory of server and worker. Then, beside them, runs that are due within one second: how late their timers fired.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

import aether
from aether.core.timers import TimerWheel
from aether.model import events as e

RESIDENT_MAX = 100
BATCH = 1_000
DUE_AFTER_S = 3.0


def define_on(client: aether.Client) -> aether.Workflow[[float], None]:
    @client.workflow("sleeper")
    async def sleeper(ctx: aether.Context, seconds: float) -> None:
        await ctx.sleep(seconds)

    return sleeper


async def work(url: str) -> None:
    client = aether.Client(url)
    async with client.serve(define_on(client), resident_max=RESIDENT_MAX):
        print("ready", flush=True)
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                return


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM (proc(5): statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def wheel_us(sleepers: int, timers: int = 20_000) -> float:
    """CPU for each timer that is armed and fires within a minute, beside others that sleep for up to a year."""
    now = 1_700_000_000_000_000
    wheel: TimerWheel[int] = TimerWheel(now)
    for number in range(sleepers):
        wheel.arm(number, now + 3_600_000_000 + number * 31_536_000_000_000 // sleepers)
    began = time.process_time()
    for number in range(timers):
        wheel.arm(-1 - number, now + number * 60_000_000 // timers)
    fired = 0
    while fired < timers:
        due = wheel.next_due()
        assert due is not None
        fired += len(wheel.advance(max(now, due), 1_000))
    return (time.process_time() - began) / timers * 1e6


async def until_asleep(client: aether.Client, count: int) -> None:
    """Until all of them wait for their timers."""
    while True:
        if (await client.metrics()).open.sleeping >= count:
            return
        await anyio.sleep(0.2)


async def fill(
    client: aether.Client, sleeper: aether.Workflow[[float], None], count: int, seconds: float
) -> list[aether.Handle[None]]:
    handles: list[aether.Handle[None]] = []
    while len(handles) < count:
        size = min(BATCH, count - len(handles))
        handles += await client.start_many([sleeper.prepare(seconds) for _ in range(size)])
    return handles


async def measure(url: str, server: int, worker: int, options: argparse.Namespace) -> None:
    client = aether.Client(url, timeout_s=120)
    sleeper = define_on(client)
    async with client:
        print(f"{'sleeping runs':>16}{'server MB':>12}{'worker MB':>12}{'server bytes a run':>22}")
        before, asleep = resident_mb(server), 0
        print(f"{0:>16}{before:>12.0f}{resident_mb(worker):>12.0f}")
        for share in (0.01, 0.1, 0.5, 1.0):
            count = int(options.sleepers * share)
            await fill(client, sleeper, count - asleep, 86_400)
            asleep = count
            await until_asleep(client, asleep)
            now = resident_mb(server)
            print(f"{asleep:>16}{now:>12.0f}{resident_mb(worker):>12.0f}{(now - before) * 1e6 / asleep:>22.0f}")
        handles = await fill(client, sleeper, options.due, DUE_AFTER_S)
        late: list[float] = []
        for handle in handles:
            await handle.result()
            due = 0
            async for event in handle.history():
                if isinstance(event.fact, e.TimerStarted):
                    due = event.fact.fire_at
                elif isinstance(event.fact, e.TimerFired):
                    late.append((event.at - due) / 1e3)
        late.sort()
        middle, high = late[len(late) // 2], late[int(len(late) * 0.99)]
        print(f"{len(late)} timers due, {options.sleepers} asleep beside them; late by, in ms:")
        print(f"  min {late[0]:.2f}  p50 {middle:.2f}  p99 {high:.2f}  max {late[-1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sleepers", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="where the database goes; a temporary folder if not given")
    parser.add_argument("--worker", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        anyio.run(work, options.worker, backend="trio")
        return
    base = wheel_us(1_000)
    for sleepers in (1_000, 10_000, 100_000, 1_000_000):
        spent = wheel_us(sleepers)
        print(f"wheel: {sleepers:>9} asleep, {spent:6.2f} us CPU a timer, {spent / base:4.2f} x")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        serve = [sys.executable, "-m", "aether.cli", "serve", "--grpc-port", "0", "--db", f"{folder}/aether.db"]
        server = subprocess.Popen([*serve, "--log-level", "error"], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        worker = subprocess.Popen([sys.executable, __file__, "--worker", url], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        try:
            anyio.run(measure, url, server.pid, worker.pid, options, backend="trio")
        finally:
            for process in (worker, server):
                process.send_signal(signal.SIGTERM)
                process.wait(60)


if __name__ == "__main__":
    main()
