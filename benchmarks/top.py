"""What `aether top` costs: its CPU while it looks four times a second at a server on which 200 rows change.

    python benchmarks/top.py [--seconds N] [--rate RUNS_A_SECOND]

Prints, for each view, the share of a core that the process took in that time, start-up left out, and how many bytes it
wrote to a terminal of 160 x 50. CPU is counted by the kernel, so other programs disturb it little.
"""

import argparse
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path

import anyio

import aether

WIDTH, HEIGHT = 160, 50
WARM_UP_S = 8
TICKS_S = os.sysconf("SC_CLK_TCK")
client = aether.Client()


@client.workflow("order")
async def order(ctx: aether.Context, number: int) -> int:
    await ctx.step("reserve", lambda: number)
    await ctx.sleep(seconds=2)
    return await ctx.step("ship", lambda: number)


@client.workflow("long")
async def long(ctx: aether.Context, steps: int) -> int:
    for number in range(steps):
        await ctx.step(f"step-{number}", lambda: "x" * 50)
    await ctx.wait_signal("end")
    return steps


def cpu_s(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


async def measured(url: str, seconds: int, *options: str) -> tuple[float, float]:
    """The share of a core, and bytes a second."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TERM"] = "xterm-256color"
        command = [sys.executable, "-m", "aether.cli", "top", "--interval", "0.25", "--server", url, *options]
        os.execv(sys.executable, command)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    written = 0

    async def drain() -> None:
        nonlocal written
        while True:
            await anyio.wait_readable(terminal)
            written += len(os.read(terminal, 65_536))

    async with anyio.create_task_group() as group:
        group.start_soon(drain)
        await anyio.sleep(WARM_UP_S)
        begun, had = cpu_s(process), written
        await anyio.sleep(seconds)
        used, wrote = cpu_s(process) - begun, written - had
        group.cancel_scope.cancel()
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)  # noqa: ASYNC222 - it is dead
    os.close(terminal)
    return used / seconds, wrote / seconds


async def load(rate: int) -> None:
    """So many runs a second, for ever."""
    number = 0
    while True:
        await client.start_many([order.prepare(number + index) for index in range(rate // 4)])
        number += rate // 4
        await anyio.sleep(0.25)


async def compare(url: str, seconds: int, rate: int) -> None:
    client._target = url
    async with client.serve(order, long), anyio.create_task_group() as group:
        group.start_soon(load, rate)
        for steps in (50, 10_000):
            await long.options(workflow_id=f"long-{steps}").start(steps)
        print(f"{'view':34} {'% of a core':>11} {'bytes/s':>9}")
        views = [
            ("overview", ()),
            ("workflows, 200 rows", ("--view", "workflows")),
            ("log", ("--view", "log")),
            ("a run of 50 steps", ("--run", "long-50")),
            ("a run of 10,000 steps", ("--run", "long-10000")),
        ]
        for name, options in views:
            share, wrote = await measured(url, seconds, *options)
            print(f"{name:34} {share * 100:11.1f} {wrote:9.0f}", flush=True)
        group.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rate", type=int, default=40, metavar="RUNS_A_SECOND")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(folder) as server:
        try:
            assert server.stdout is not None
            anyio.run(compare, server.stdout.readline().strip(), arguments.seconds, arguments.rate)
        finally:
            server.terminate()


def serving(folder: str) -> "subprocess.Popen[str]":
    options = ("--persistence", "memory", "--grpc-port", "0", "--metrics-port", "0")
    command = [sys.executable, "-m", "aether.cli", "serve", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


if __name__ == "__main__":
    main()
