"""Simulations: the seeds that once failed, and as many new ones as fit into the budget.

`AETHER_TEST_SIMULATION_SECONDS` is the budget (120 if it is not set). The seeds are those from 1 on, so that what fails
is the change's doing and not chance's; a change gives each of them another course. `tox -e sim -- --minutes 30` looks
for new ones, and `tox -e sim -- --seed N` repeats one.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from aether.testing.clock import stopwatch
from aether.testing.faults import KINDS
from aether.testing.simulation import main
from aether.testing.world import simulate
from tests.processes import ROOT, environment

BUDGET_S = float(os.environ.get("AETHER_TEST_SIMULATION_SECONDS", "120"))
SEEDS = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_once_failed_keeps_all_promises(seed):
    simulate(seed)


@pytest.mark.timeout(BUDGET_S + 120)
def test_as_many_seeds_as_fit_keep_all_promises():
    elapsed = stopwatch()
    seed = 1
    facts: Counter[str] = Counter()
    deeds: Counter[str] = Counter()
    seeds = 0
    while elapsed() < BUDGET_S:
        world = simulate(seed + seeds)
        facts.update(world.journal.kinds)
        deeds.update(world.deeds)
        seeds += 1
    print(f"{seeds} seeds from {seed} on; {sum(facts.values())} facts; {dict(deeds)}")
    if seeds > 100:
        # What never happens is not tested.
        assert {"StepRetried", "ActivityRetried", "ChildFailed", "PromiseResolved", "RunCancelled"} <= facts.keys()
        assert len(deeds) > len(KINDS) - 5


@pytest.mark.parametrize("hashes", ["1", "2"])
def test_a_seed_is_one_course_of_things_in_every_process(hashes):
    said = subprocess.run(
        [sys.executable, "-m", "aether.testing.simulation", "--seed", "8"],
        cwd=ROOT, env={**environment(), "PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"trace {simulate(8).trace_hash:08x}" in said.stdout


def test_the_command_runs_a_number_of_seeds_or_for_a_while(capsys):
    assert main(["--first", "1", "--seeds", "2"]) == 0
    assert "2 seeds kept all promises" in capsys.readouterr().out
    assert main(["--minutes", "0"]) == 0
    assert "0 seeds kept all promises" in capsys.readouterr().out
