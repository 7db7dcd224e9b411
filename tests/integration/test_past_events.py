"""A run as it was after each of its events, of every kind that there is, and the same as the engine folds them."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

import aether
from aether import Client, Context
from aether.core.run import Run, fold
from aether.model import events as e
from aether.sdk.converters import Converter
from aether.testing import Environment, Testbed

GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = sorted(GOLDEN.glob("format-*.db.gz"))
CONVERTER = Converter()
# Only workers of other languages give up a promise: `tests/unit/core/test_past.py` has that.
KINDS = set(get_args(e.Fact)) - {e.PromiseDropped}
ENDS = (
    e.StepCompleted | e.StepFailed | e.TimerFired | e.TimerCancelled | e.ActivityCompleted | e.ActivityFailed
    | e.ActivityCancelled | e.ChildCompleted | e.ChildFailed | e.ChildCancelled | e.PromiseResolved
    | e.PromiseRejected | e.PromiseDropped
)  # fmt: skip
client = Client()
testbed = Testbed(client)


@client.activity("slow", retry=aether.RetryPolicy(initial_s=1, max_attempts=3), heartbeat_s=60)
async def slow(seconds: float) -> float:
    if aether.activity_info().attempt == 1:
        raise ConnectionError("not yet")
    for second in range(int(seconds)):
        aether.heartbeat(second)
        await anyio.sleep(1)
    return seconds


@client.workflow("part")
async def part(ctx: Context, what: str) -> None:
    await ctx.sleep(seconds=5)
    if what == "fails":
        raise ValueError("as it was told")


@client.workflow("long")
async def long(ctx: Context) -> None:
    async with ctx.move_on_after(60):
        await ctx.parallel([lambda: ctx.activity(slow, 1000), lambda: ctx.step("beside", lambda: {"a": 1})])
    await ctx.activity(slow, 10)
    async with ctx.move_on_after(1):
        await ctx.child(part, "waits")
    await ctx.publish("at", "children")
    with pytest.raises(aether.ChildFailed):
        await ctx.child(part, "fails")
    with pytest.raises(aether.StepFailed):
        await ctx.step("broken", lambda: 1 // 0, retry=aether.RetryPolicy(initial_s=1, max_attempts=2))
    promise = await ctx.promise("kept")
    await ctx.publish("token", promise.token)
    with pytest.raises(aether.PromiseFailed):
        await promise.result()
    await ctx.wait_signal("go")
    await ctx.publish("at", "end")


async def check_each(handle: aether.Handle[Any]) -> set[type]:
    """Ask for the run as it was after each event; the kinds of events that were met."""
    events = [event async for event in handle.history()]
    run: Run | None = None
    for seq, event in enumerate(events, start=1):
        if isinstance(event.fact, e.RunCreated):
            run = Run(0, event.fact.workflow_id, event.fact.run_id, event.fact.workflow_type, "", None, event.at)
        assert run is not None
        fold(run, event)
        then = await handle.at(seq)
        assert (then.state, then.seq, then.attempt) == (run.state, seq, run.attempts), seq
        assert then.cancel_requested == run.cancel_requested, seq
        shown = {key: CONVERTER.decode(value, key) for key, (value, _) in (run.published or {}).items()}
        assert then.published == shown, seq
        waits = {each.path for each in then.pending if each.kind != "signal"}
        assert waits == (set() if run.state.is_closed else set(run.pending)), seq
        assert [(each.seq, each.path) for each in then.finished] == over(events[:seq]), seq
        heard = [(each.seq, each.fact.name) for each in events[:seq] if isinstance(each.fact, e.SignalReceived)]
        assert [(each.seq, each.name) for each in then.signals] == heard, seq
    return {type(event.fact) for event in events}


def over(events: Sequence[e.Event]) -> list[tuple[int, str]]:
    """What had ended: a timer between two attempts of a step is no end of anything."""
    between: set[str] = set()
    ended: list[tuple[int, str]] = []
    for event in events:
        fact = event.fact
        if isinstance(fact, e.StepRetried):
            between.add(fact.path)
        elif isinstance(fact, e.TimerFired | e.TimerCancelled) and fact.path in between:
            between.discard(fact.path)
        elif isinstance(fact, ENDS):
            ended.append((event.seq, fact.path))
    return ended


async def golden(path: Path, folder: Path) -> set[type]:
    db = folder / path.stem
    db.write_bytes(gzip.decompress(path.read_bytes()))
    met: set[type] = set()
    async with Client(db=str(db)) as reader:
        for info in [info async for info in reader.list()]:
            met |= await check_each(reader.handle(info.workflow_id, info.run_id))
    return met


async def new(env: Environment) -> set[type]:
    handle = await long.options(workflow_id="long").start()
    await env.sleep(seconds=30)
    await handle.pause("lunch")
    await env.sleep(seconds=5)
    await handle.resume()
    while (token := await handle.read("token", result_type=str)) is None:
        await env.sleep(seconds=10)
    await client.fail_promise(token, ValueError("nobody pays"))
    await env.sleep(seconds=10)
    await handle.signal("go")
    await handle.result()
    return await check_each(handle)


def test_a_run_can_be_seen_after_events_of_every_kind_as_the_engine_folds_them(tmp_path: Path) -> None:
    met = testbed.play(new)
    for path in FORMATS:
        met |= anyio.run(golden, path, tmp_path, backend="trio")
    assert met == KINDS
