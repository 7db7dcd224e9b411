"""What the worker processes of the tests of task queues serve. Whatever runs says so in `ran.txt`."""

import os
from pathlib import Path

import anyio

import aether

client = aether.Client(worker_id=os.environ.get("WORKER", "worker"))
HERE = Path(__file__).parent


def note(text: str) -> None:
    with HERE.joinpath("ran.txt").open("a") as notes:
        notes.write(f"{text}\n")


async def until_there(name: str) -> None:
    while not HERE.joinpath(name).exists():  # noqa: ASYNC110 - a file has no way of telling
        await anyio.sleep(0.005)


@client.activity("train", labels={"gpu": "a100"})
async def train() -> str:
    return client._worker_id or ""


@client.workflow("trains")
async def trains(ctx: aether.Context) -> str:
    return await ctx.activity(train)
