"""All of it once, each in a process of its own: a server on SQLite, a worker, and a client that starts a run.

python examples/main_job.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import trio

import aether

AETHER = [sys.executable, "-m", "aether.cli"]
client = aether.Client()  # finds its server by AETHER_SERVER


@client.activity("charge", retry=aether.RetryPolicy(initial_s=0.1), start_to_close_s=10)
async def charge(order_id: str, cents: int) -> str:
    if aether.activity_info().attempt == 1:
        raise ConnectionError("the payment gateway hung up")
    return f"tx-{order_id}-{cents}"


@client.workflow("order")
async def order(ctx: aether.Context, order_id: str) -> str:
    await ctx.step("reserve", lambda: {"items": 10})
    payment = await ctx.activity(charge, order_id, 4200)
    await ctx.sleep(seconds=0.5)
    return await ctx.step("ship", lambda: f"TRK-{payment}")


async def start_and_wait(order_id: str) -> None:
    async with client:
        run = await order.options(workflow_id=order_id).start(order_id)
        print("result:", await run.result(timeout_s=60))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        serve = [*AETHER, "serve", "--grpc-port", "0", "--db", f"{folder}/aether.db"]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        os.environ["AETHER_SERVER"] = server.stdout.readline().strip() or sys.exit("no server")  # it says where it is
        worker = subprocess.Popen([*AETHER, "worker", "main_job:client"], cwd=Path(__file__).parent)
        try:
            trio.run(start_and_wait, "order-1")
            subprocess.run([*AETHER, "history", "order-1"], check=True)
        finally:
            for process in (worker, server):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
