"""Restate: with `serve PORT` the service, otherwise the client of its ingress, over connections that stay open."""

import asyncio
import sys

import httpx
import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from loop import RESULT, serve_loads

service = restate.Service("benchmark")


async def answer() -> str:
    return RESULT


@service.handler("n_steps")
async def n_steps(ctx: restate.Context, count: int) -> str:
    result = ""
    for _ in range(count):
        result = await ctx.run_typed("step", answer)
    return result


async def call(ingress: str) -> None:
    limits = httpx.Limits(max_connections=4_096, max_keepalive_connections=4_096)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:

        async def start_and_wait(count: int) -> None:
            answered = await client.post(f"{ingress}/benchmark/n_steps", json=count)
            answered.raise_for_status()

        await serve_loads(start_and_wait)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        config = Config()
        config.bind = [f"127.0.0.1:{sys.argv[2]}"]
        config.loglevel = "ERROR"
        asyncio.run(serve(restate.app([service]), config))
    else:
        asyncio.run(call(sys.argv[1]))
