"""The simulation finds what it is there for: each promise is broken on purpose, and some seed says so by its name."""

from functools import partial
from itertools import count

import pytest
import trio

import aether
from aether.core import activity, lifecycle, messages, pausing
from aether.core.groups import Group
from aether.core.run import Run, fold
from aether.core.sessions import Session as SessionOfEngine
from aether.core.sessions import Tokens
from aether.core.state import State
from aether.core.timers import TimerWheel
from aether.sdk.session import Session
from aether.sdk.transport import Transport
from aether.server import snapshot_loop
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories, _Kept
from aether.server.settings import Persistence
from aether.server.tally import Tally
from aether.server.tiers import Tier
from aether.testing import world
from aether.testing.disk import Disk
from aether.testing.faults import Plan
from aether.testing.simulation import main
from aether.testing.world import simulate
from aether.wire.calls import ServerLink
from aether.wire.limits import TransportLimits

SEEDS_MAX = 150


def first_failure(*words, first=1):
    """What the first seed says that fails, with one of the words; `first` has been one that does.

    Another checker may be quicker to see that something is wrong.
    """
    for seed in range(first, first + SEEDS_MAX):
        try:
            simulate(seed)
        except BaseExceptionGroup as group:
            said, notes = str(group.exceptions), "\n".join(group.__notes__)
        except Exception as failure:
            said, notes = f"{type(failure).__name__}: {failure}", "\n".join(failure.__notes__)
        else:
            continue
        if not words or any(word in said for word in words):
            return said, notes
    return pytest.fail(f"{SEEDS_MAX} seeds did not say {words}")


def test_answers_that_do_not_wait_for_the_disk(monkeypatch):
    tell_at_once(monkeypatch)
    first_failure("on disk")


def test_timers_that_fire_early(monkeypatch):
    advance = TimerWheel.advance
    monkeypatch.setattr(TimerWheel, "advance", lambda self, now, *more: advance(self, now + 2_000, *more))
    first_failure("early", "before its time", first=5)


def test_tokens_that_begin_anew_with_each_server(monkeypatch):
    monkeypatch.setattr(Tokens, "__init__", lambda self, epoch: setattr(self, "_last", 1 << 40))
    first_failure("follows", "two holders", "stale, and was heard")


find = lifecycle.find


def _forgetful(run):
    if isinstance(run, Run):
        run.signal_ids = None
    return run


def test_signals_that_are_not_known_when_they_come_again(monkeypatch):
    monkeypatch.setattr(messages, "find", lambda state, *ids: _forgetful(find(state, *ids)))
    first_failure("came twice")


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
    _, notes = first_failure("after all trouble", "is stuck")
    assert "plan: " in notes
    assert "again: tox -e sim -- --seed " in notes


def test_results_that_are_made_up(monkeypatch):
    numbers = count()
    perform = aether.Context.step

    async def step(self, name, fn, /, *args, **rules):
        value = await perform(self, name, fn, *args, **rules)
        return "made up" if next(numbers) % 7 == 6 else value

    monkeypatch.setattr(aether.Context, "step", step)
    first_failure("returned", "the code")


def tell_at_once(monkeypatch):
    """Nothing waits for the disk."""

    def commit(self, records, effects):
        commit_as_it_is(self, records, [])
        self._perform(effects)
        self.outbox.flush()

    commit_as_it_is = EngineLoop._commit
    monkeypatch.setattr(EngineLoop, "_commit", commit)


def test_the_command_says_how_to_repeat_what_failed(monkeypatch, capsys):
    tell_at_once(monkeypatch)
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
    first_failure("time stands still")


def test_a_tier_that_tells_an_end_before_it_is_on_disk(monkeypatch):
    draw = Plan.draw

    def ahead(seed):
        plan = draw(seed)
        plan.tier = Tier(Persistence.SNAPSHOT, 1)
        return plan

    monkeypatch.setattr(Plan, "draw", ahead)
    simulate(1)
    monkeypatch.setattr(snapshot_loop, "_must_last", lambda decision: False)
    first_failure("on disk")


def test_a_limit_of_concurrency_that_does_not_hold(monkeypatch):
    monkeypatch.setattr(Group, "has_room", True)
    first_failure("hold a place of", first=7)


def test_a_label_that_nobody_looks_at(monkeypatch):
    monkeypatch.setattr(SessionOfEngine, "has_labels", lambda self, wanted: True)
    first_failure("which wants (('zone', 'a'),)")


def test_a_paused_run_that_goes_on(monkeypatch):
    monkeypatch.setattr(pausing, "_hold", lambda state, run: None)
    first_failure("paused")


def test_numbers_that_are_not_counted(monkeypatch):
    monkeypatch.setattr(Tally, "change", lambda self, kind, before, after: None)
    first_failure("the server counts")


def test_memory_that_is_not_what_is_written_down(monkeypatch):
    def forget_what_is_shown(run, event):
        fold(run, event)
        run.published = None

    monkeypatch.setattr("aether.core.state.fold", forget_what_is_shown)
    first_failure("published is None, by the history it is")


remember_as_it_is = State.remember_closed


def remember(self, run, *details):
    kept = dict(self.recently_closed)
    remember_as_it_is(self, run, *details)
    self.recently_closed.update({name: last for name, last in kept.items() if name != run.workflow_id})


def keep(self, run_key, seq, body):
    self._runs.setdefault(run_key, _Kept(seq)).events.append(body)
    self._runs[run_key].size += len(body)


@pytest.mark.parametrize(
    ("place", "name", "broken", "first", "words"),
    [
        (State, "remember_closed", remember, 2, "closed ids"),
        (SessionOfEngine, "has_slot", lambda self, kind: True, 1, "slots"),
        (Histories, "append", keep, 2, "bytes of histories"),
    ],
)
def test_bounds_that_do_not_hold(monkeypatch, place, name, broken, first, words):
    monkeypatch.setattr(place, name, broken)
    first_failure(words, first=first)


def test_a_disk_that_does_not_look_at_checksums(monkeypatch):
    monkeypatch.setattr(Disk, "checked", lambda self, row: row)
    first_failure(first=4)


def test_attempts_that_nobody_has_after_a_restart(monkeypatch):
    monkeypatch.setattr(activity, "lost", lambda state, item, reason: None)
    first_failure(first=4)


def test_who_does_not_notice_that_the_other_side_is_gone(monkeypatch):
    monkeypatch.setattr(world, "Transport", partial(Transport, limits=TransportLimits(keepalive_s=1e9)))
    first_failure("after all trouble", first=13)


def test_a_connection_that_falls_over_what_a_stranger_sends(monkeypatch):
    def feed(self, data, now):
        self.now = now
        if not self.is_closed:
            rest, self._rest = self._rest + data, b""
            self._rest = rest[self._read_frames(rest) :]

    monkeypatch.setattr(ServerLink, "feed", feed)
    first_failure()
