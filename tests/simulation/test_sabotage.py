"""The simulation finds what it is there for: each promise is broken on purpose, and some seed says so by its name."""

from itertools import count

import pytest
import trio

import aether
from aether.core import lifecycle, messages
from aether.core.run import Run
from aether.core.sessions import Tokens
from aether.core.timers import TimerWheel
from aether.sdk.session import Session
from aether.server import snapshot_loop
from aether.server.engine_loop import EngineLoop
from aether.server.settings import Persistence
from aether.server.tiers import Tier
from aether.testing.disk import Disk
from aether.testing.faults import Plan
from aether.testing.simulation import main
from aether.testing.world import simulate

SEEDS_MAX = 150


def first_failure(*, first=1):
    """What the first seed says that fails."""
    for seed in range(first, first + SEEDS_MAX):
        try:
            simulate(seed)
        except BaseExceptionGroup as group:
            return str(group.exceptions), "\n".join(group.__notes__)
        except Exception as failure:
            return f"{type(failure).__name__}: {failure}", "\n".join(failure.__notes__)
    return pytest.fail(f"{SEEDS_MAX} seeds found nothing")


def test_answers_that_do_not_wait_for_the_disk(monkeypatch):
    def commit(self, records, effects):
        commit_as_it_is(self, records, [])
        self._perform(effects)
        self.outbox.flush()

    commit_as_it_is = EngineLoop._commit
    monkeypatch.setattr(EngineLoop, "_commit", commit)
    said, _ = first_failure()
    assert "on disk" in said


def test_timers_that_fire_early(monkeypatch):
    advance = TimerWheel.advance
    monkeypatch.setattr(TimerWheel, "advance", lambda self, now, *more: advance(self, now + 2_000, *more))
    said, _ = first_failure()
    assert "early" in said or "before its time" in said


def test_tokens_that_begin_anew_with_each_server(monkeypatch):
    monkeypatch.setattr(Tokens, "__init__", lambda self, epoch: setattr(self, "_last", 1 << 40))
    said, _ = first_failure()
    assert "follows" in said or "two holders" in said or "stale, and was heard" in said


find = lifecycle.find


def _forgetful(run):
    if isinstance(run, Run):
        run.signal_ids = None
    return run


def test_signals_that_are_not_known_when_they_come_again(monkeypatch):
    monkeypatch.setattr(messages, "find", lambda state, *ids: _forgetful(find(state, *ids)))
    said, _ = first_failure()
    assert "came twice" in said


def test_a_disk_that_forgets_what_it_had(monkeypatch):
    def crash(self, *, keeps_unsynced):
        if self.logs and (log := self.logs[max(self.logs)])[1:]:
            log.pop()
        self._unsynced = None

    monkeypatch.setattr(Disk, "crash", crash)
    first_failure()


def test_a_worker_that_forgets_what_was_acknowledged(monkeypatch):
    take = Session._on_response

    def lose(self, response):
        numbers[response.token] = numbers.get(response.token, 0) + 1
        if numbers[response.token] != 2:
            take(self, response)

    numbers: dict[int, int] = {}
    monkeypatch.setattr(Session, "_on_response", lose)
    first_failure()


def test_a_run_that_nobody_wakes(monkeypatch):
    monkeypatch.setattr(messages, "wake_run", lambda state, run: None)
    said, notes = first_failure()
    assert "after all trouble" in said
    assert "plan: " in notes
    assert "again: tox -e sim -- --seed " in notes


def test_results_that_are_made_up(monkeypatch):
    numbers = count()
    perform = aether.Context.step

    async def step(self, name, fn, /, *args, **rules):
        value = await perform(self, name, fn, *args, **rules)
        return "made up" if next(numbers) % 7 == 6 else value

    monkeypatch.setattr(aether.Context, "step", step)
    said, _ = first_failure()
    assert "returned" in said or "the code" in said


def test_the_command_says_how_to_repeat_what_failed(monkeypatch, capsys):
    monkeypatch.setattr(messages, "wake_run", lambda state, run: None)
    assert main(["--first", "1", "--seeds", "3", "--keep-going"]) == 1
    said = capsys.readouterr()
    assert "again: tox -e sim -- --seed" in said.out
    assert "plan: " in said.err
    assert main(["--first", "1", "--seeds", "5"]) == 1


def test_tasks_that_keep_each_other_busy(monkeypatch):
    """As a run did whose branch waited for something of its own."""

    async def beat(self):
        while True:
            await trio.lowlevel.checkpoint()

    monkeypatch.setattr(Session, "_keep_alive", beat)
    said, _ = first_failure()
    assert "time stands still" in said


def test_a_tier_that_tells_an_end_before_it_is_on_disk(monkeypatch):
    draw = Plan.draw

    def ahead(seed):
        plan = draw(seed)
        plan.tier = Tier(Persistence.SNAPSHOT, 1)
        return plan

    monkeypatch.setattr(Plan, "draw", ahead)
    simulate(1)
    monkeypatch.setattr(snapshot_loop, "_closes_a_run", lambda decision: False)
    said, _ = first_failure()
    assert "on disk" in said
