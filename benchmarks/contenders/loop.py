"""What all contenders share: loads in on standard input, figures out on standard output. Standard library only.

A contender is a program with a workflow of n steps that return 100 bytes each. It prints "ready", then takes one load a
line, `{"steps": …, "clients": …, "runs": …}`: that many clients start a workflow, wait for its result, and start the
next one, until all runs are done. It answers with `{"wall_s": …, "latencies_s": […]}`. It ends with its input.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

RESULT = "x" * 96


async def run_load(start_and_wait: Callable[[int], Awaitable[object]], load: dict[str, int]) -> dict[str, object]:
    left = iter(range(load["runs"]))
    latencies_s: list[float] = []

    async def one_after_another() -> None:
        for _ in left:
            began = time.perf_counter()
            await start_and_wait(load["steps"])
            latencies_s.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*[one_after_another() for _ in range(load["clients"])])
    return {"wall_s": time.perf_counter() - began, "latencies_s": latencies_s}


async def serve_loads(start_and_wait: Callable[[int], Awaitable[object]]) -> None:
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await run_load(start_and_wait, json.loads(line))), flush=True)
