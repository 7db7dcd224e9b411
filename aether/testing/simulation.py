"""The command that runs simulations: `python -m aether.testing.simulation --seed 7`, or `--minutes 30` of new ones."""

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

from aether.sdk.entropy import draw
from aether.testing.clock import stopwatch
from aether.testing.world import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every seed kept all promises. 1: one did not, and the last line says how to repeat it."""
    parser = argparse.ArgumentParser(prog="tox -e sim --", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one and print its trace")
    parser.add_argument("--first", type=int, help="the first of many; drawn if not given")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on (default 1)")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first that fails")
    told = parser.parse_args(arguments)
    if told.seed is not None:
        return _run([told.seed], shows_trace=True, keeps_going=False)
    first = int(draw() * 1_000_000_000) if told.first is None else told.first
    seeds: Iterator[int] = iter(range(first, first + told.seeds)) if told.seeds else count(first)
    if not told.seeds:
        seeds = _until(seeds, told.minutes * 60)
    return _run(seeds, shows_trace=False, keeps_going=told.keep_going)


def _until(seeds: Iterator[int], seconds: float) -> Iterator[int]:
    """As many as fit."""
    elapsed = stopwatch()
    for seed in seeds:
        if elapsed() >= seconds:
            return
        yield seed


def _run(seeds: Sequence[int] | Iterator[int], *, shows_trace: bool, keeps_going: bool) -> int:
    done = events = 0
    kinds: Counter[str] = Counter()
    deeds: Counter[str] = Counter()
    failed: list[int] = []
    for seed in seeds:
        try:
            world = simulate(seed)
        except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
            traceback.print_exc()
            failed.append(seed)
            if not keeps_going:
                break
            continue
        done += 1
        events += world.journal.count
        kinds.update(world.journal.kinds)
        deeds.update(world.deeds)
        if shows_trace:
            sys.stdout.write("\n".join(world.trace) + f"\n{world.plan}\ntrace {world.trace_hash:08x}\n")
    sys.stdout.write(
        f"facts: {_counts(kinds)}\ntrouble: {_counts(deeds)}\n{done} seeds kept all promises, {events} facts\n"
    )
    for seed in failed:
        sys.stdout.write(f"seed {seed} failed; again: tox -e sim -- --seed {seed}\n")
    return 1 if failed else 0


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items()) if number)


if __name__ == "__main__":
    sys.exit(main())
