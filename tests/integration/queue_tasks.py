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


@client.activity("call", concurrency=aether.Concurrency(2, key=lambda bank, number: bank))
async def call(bank: str, number: int) -> str:
    note(f"begins {bank} {number}")
    await until_there(f"open-{number}")
    note(f"ends {bank} {number}")
    return f"{bank} {number}"


@client.workflow("calls")
async def calls(ctx: aether.Context, bank: str, number: int) -> str:
    return await ctx.activity(call, bank, number)


@client.workflow("turn", concurrency=aether.Concurrency(1, key=lambda customer, number: customer))
async def turn(ctx: aether.Context, customer: str, number: int) -> int:
    await ctx.step("begin", lambda: note(f"{customer} {number} begins"))
    await ctx.sleep(0.05)
    await ctx.step("end", lambda: note(f"{customer} {number} ends"))
    return number


@client.activity("part")
async def part(number: int) -> int:
    note(f"part {number}")
    return number


@client.workflow("parts")
async def parts(ctx: aether.Context) -> list[int]:
    done = [await ctx.activity(part, 1)]
    await ctx.step("wait", until_there, "go")
    await ctx.sleep(0.05)
    note("woken")
    return [*done, await ctx.activity(part, 2)]
