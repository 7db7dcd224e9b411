"""A program whose trace depends on the order in which Trio runs its tasks, and on nothing else. Run by a test."""

import sys

import trio
import trio.testing

from aether.testing.seeded import run_seeded

TASKS = 12


async def _turns(trace):
    everybody, deadline = trio.Event(), trio.current_time() + 5
    room = trio.CapacityLimiter(3)

    async def worker(number):
        for _ in range(3):
            trace.append(f"turn {number}")
            await trio.lowlevel.checkpoint()
        await everybody.wait()
        trace.append(f"woken {number}")
        await trio.sleep_until(deadline)
        trace.append(f"due {number}")
        async with room:
            trace.append(f"room {number}")
            await trio.sleep(1)
        if number % 3 == 0:
            raise ValueError(str(number))
        await trio.sleep_forever()

    try:
        async with trio.open_nursery() as nursery:
            for number in range(TASKS):
                nursery.start_soon(worker, number)
            await trio.testing.wait_all_tasks_blocked()
            everybody.set()
    except* ValueError as group:
        trace.extend(f"failed {error}" for error in group.exceptions)
    trace.append(f"at {trio.current_time()}")


def trace_of(seed):
    trace: list[str] = []
    run_seeded(seed, _turns, trace, clock=trio.testing.MockClock(autojump_threshold=0))
    return trace


if __name__ == "__main__":
    print("\n".join(trace_of(int(sys.argv[1]))))
