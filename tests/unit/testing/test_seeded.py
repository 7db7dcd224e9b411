"""Runs with one seed are equal. If not, after an upgrade of Trio: look at `aether/testing/seeded.py`."""

import subprocess
import sys

import pytest
import trio
from trio._core import _run as scheduler

from aether.testing import seeded
from aether.testing.seeded import run_seeded, seeded_scheduling
from tests.processes import ROOT, environment
from tests.unit.testing.turns import trace_of


def test_two_runs_in_one_process_with_one_seed_are_equal():
    first = trace_of(7)
    trio.run(trio.sleep, 0)
    assert trace_of(7) == first


def test_another_seed_gives_another_order_of_the_same_things():
    traces = [trace_of(seed) for seed in range(8)]
    assert len({tuple(trace) for trace in traces}) == 8
    assert len({frozenset(trace[:36]) for trace in traces}) == 1


@pytest.mark.parametrize("hashes", ["0", "1", "4711"])
def test_runs_in_other_processes_are_equal_whatever_the_seed_of_hashes(hashes):
    said = subprocess.run(
        [sys.executable, "-m", "tests.unit.testing.turns", "7"],
        cwd=ROOT, env={**environment(), "PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.splitlines() == trace_of(7)


def test_afterwards_trio_is_as_it_was():
    before = scheduler._r, scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    with pytest.raises(ZeroDivisionError), seeded_scheduling(1):
        _ = 1 / 0
    assert (scheduler._r, scheduler._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_what_the_function_returns_is_returned():
    async def add(left, right):
        await trio.lowlevel.checkpoint()
        return left + right

    assert run_seeded(1, add, 2, 3) == 5


@pytest.mark.parametrize("name", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_a_trio_that_works_otherwise_is_refused_by_its_version(name, monkeypatch):
    monkeypatch.delattr(scheduler, name)
    with pytest.raises(RuntimeError, match=trio.__version__), seeded.seeded_scheduling(1):
        pass
