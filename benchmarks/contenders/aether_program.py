"""Aether: with a URL a client and no worker, with `--work URL` the worker, with `--embedded DB MODE` all in one."""

import argparse
import asyncio
import signal

from loop import RESULT, serve_loads

import aether


async def answer() -> str:
    return RESULT


def define_on(client: aether.Client) -> aether.Workflow[[int], str]:
    @client.workflow("n-steps")
    async def n_steps(ctx: aether.Context, count: int) -> str:
        result = ""
        for _ in range(count):
            result = await ctx.step("step", answer)
        return result

    return n_steps


async def work(url: str) -> None:
    client = aether.Client(url)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with client.serve(define_on(client)):
        print("ready", flush=True)
        await stopped.wait()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", metavar="URL")
    parser.add_argument("--embedded", nargs=2, metavar=("DB", "MODE"))
    parser.add_argument("url", nargs="?")
    options = parser.parse_args()
    if options.work:
        await work(options.work)
    elif options.embedded:
        db, mode = options.embedded
        client = aether.Client(db="memory" if mode == "memory" else db, persistence=mode)
        workflow = define_on(client)
        async with client.serve(workflow):
            await serve_loads(workflow.start_and_wait)
    else:
        client = aether.Client(options.url)
        async with client:
            await serve_loads(define_on(client).start_and_wait)


if __name__ == "__main__":
    asyncio.run(main())
