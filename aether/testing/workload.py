"""What the simulated users do: workflows that are drawn as programs, each a list of durable calls.

A program is plain JSON, so it is a workflow's input: `[["step", "s1", …], ["parallel", [[…], […]]], …]`. One workflow
performs any program. What a call returns is known beforehand up to what trouble may change, which is what `fits` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, Protocol

import anyio
from attrs import define, field

import aether
from aether.testing.seeded import Dice, dice

Op = list[Any]
Program = list[Op]

RETRY: Final = aether.RetryPolicy(initial_s=0.5, factor=2, maximum_s=8, max_attempts=0)
_LATE: Final = "late"
_FAILED: Final = "failed"
_CANCELLED: Final = "cancelled"


class Ledger(Protocol):
    """Where the effects of steps and activities are written down."""

    def effect(self, worker: str, run_id: str, name: str) -> int:
        """How often that was done, with this time."""


@define
class Author:
    """Draws programs. Names are not used twice within a run and its children."""

    draws: Dice
    names: count[int] = field(factory=lambda: count(1))
    signals: list[tuple[str, int]] = field(factory=list)
    promises: list[str] = field(factory=list)

    def program(self, depth: int = 0, *, is_child: bool = False, size_max: int = 6) -> Program:
        return [self._op(depth, is_child=is_child) for _ in range(self.draws.randint(1, size_max))]

    def _op(self, depth: int, *, is_child: bool) -> Op:
        draws, name = self.draws, f"{next(self.names)}"
        plain: list[Callable[[], Op]] = [
            lambda: ["step", f"s{name}", draws.choice([0, 0, 0, 1, 2]), draws.random() < 0.5, self._short_s()],
            lambda: ["step", f"s{name}", 0, False, 0],
            lambda: [
                "activity",
                f"a{name}",
                draws.choice([0, 0, 1, 3]),
                draws.choice([*_BOUNDS]),
                self._short_s(),
            ],
            lambda: ["sleep", draws.choice([0, 0.1, 1, 5, 30])],
            lambda: ["publish", f"v{name}", next(self.names)],
            lambda: ["undo", f"u{name}"],
        ]
        if not is_child:
            plain += [lambda: self._signal(name), lambda: self._promise(name)]
        if depth < 2:
            below = depth + 1
            plain += [
                lambda: self._parallel(below, is_child=is_child),
                lambda: ["race", self._branches(below, is_child=is_child)],
                lambda: ["nursery", self._branches(below, is_child=is_child)],
                lambda: ["within", draws.choice([0.5, 3, 20]), self.program(below, is_child=is_child, size_max=3)],
                lambda: ["deadline", draws.choice([0.5, 3, 20]), self.program(below, is_child=is_child, size_max=3)],
                lambda: ["cleanup", f"c{name}", self.program(below, is_child=is_child, size_max=2)],
                lambda: ["child", self.program(below, is_child=True, size_max=3)],
                lambda: [
                    "spawn",
                    self.program(below, is_child=True, size_max=3),
                    draws.choice(["cancel", "terminate", "abandon"]),
                    draws.random() < 0.7,
                ],
            ]
        if draws.random() < 0.02:
            return ["fail"]
        return draws.choice(plain)()

    def _parallel(self, depth: int, *, is_child: bool) -> Op:
        branches, limit = self._branches(depth, is_child=is_child), self.draws.choice([0, 1, 2])
        # Behind a limit a branch begins because another one has ended. When that ended with a child that nobody waits
        # for, no history says so, and a fork may leave out the child on which the branch rests: docs/the-past.md.
        return ["parallel", [_joined(ops) for ops in branches] if limit else branches, limit]

    def _branches(self, depth: int, *, is_child: bool) -> list[Program]:
        return [self.program(depth, is_child=is_child, size_max=3) for _ in range(self.draws.randint(1, 3))]

    def _short_s(self) -> float:
        return self.draws.choice([0, 0, 0.01, 0.5, 3])

    def _signal(self, name: str) -> Op:
        self.signals.append((f"m{name}", self.draws.randint(1, 3)))
        return ["signal", *self.signals[-1]]

    def _promise(self, name: str) -> Op:
        self.promises.append(f"p{name}")
        return ["promise", f"p{name}", self.draws.choice([0, 0, 3, 20])]


def _joined(part: Any) -> Any:
    """The same of a program, and every child that is spawned is waited for."""
    if not isinstance(part, list):
        return part
    same = [_joined(each) for each in part]
    return [*same[:-1], True] if part[:1] == ["spawn"] else same


def author_of(seed: object) -> Author:
    return Author(dice(seed))


def _parity(name: str, fails: int, takes_s: float) -> int:
    return int(name[1:]) % 2


_BOUNDS: Final[dict[str, dict[str, Any]]] = {
    "steady": {"retry": RETRY},
    "beating": {"retry": RETRY, "heartbeat_s": 4},
    "brief": {"retry": RETRY, "start_to_close_s": 2, "schedule_to_close_s": 40},
    "twice": {"retry": aether.RetryPolicy(initial_s=1, max_attempts=2)},
    # One at a time, two at a time of each key, and in one zone.
    "lone": {"retry": RETRY, "concurrency": aether.Concurrency(1)},
    "paired": {"retry": RETRY, "concurrency": aether.Concurrency(2, key=_parity, name="pairs")},
    "zoned": {"retry": RETRY, "labels": {"zone": "a"}},
}


def define_on(client: aether.Client, worker: str, ledger: Ledger) -> aether.Workflow[[Program], list[Any]]:
    """The workflow that performs programs, and its activities; each worker process has its own."""
    performer = Performer(worker, ledger, {kind: _activity(client, kind, worker, ledger) for kind in _BOUNDS})

    @client.workflow("program")
    async def program(ctx: aether.Context, ops: list[Any]) -> list[Any]:
        return await performer.perform(ctx, ops)

    performer.program = program
    return program


def _activity(client: aether.Client, kind: str, worker: str, ledger: Ledger) -> aether.Activity[[str, int, float], str]:
    async def act(name: str, fails: int, takes_s: float) -> str:
        times = ledger.effect(worker, aether.activity_info().run_id, name)
        left_s = takes_s
        while left_s > 0:
            aether.heartbeat({"left": left_s})
            await anyio.sleep(min(left_s, 1))
            left_s -= 1
        if times <= fails:
            raise ConnectionError(name)
        return name

    return client.activity(kind, **_BOUNDS[kind])(act)


@define(eq=False)
class Performer:
    """Performs programs: one method for each kind of call."""

    worker: str
    ledger: Ledger
    activities: dict[str, aether.Activity[[str, int, float], str]]
    program: aether.Workflow[[Program], list[Any]] = field(init=False)

    async def perform(self, ctx: aether.Context, ops: Program) -> list[Any]:
        return [await getattr(self, f"_{op[0]}")(ctx, *op[1:]) for op in ops]

    def _bound(self, ctx: aether.Context, ops: Program) -> Callable[[], Coroutine[Any, Any, list[Any]]]:
        return lambda: self.perform(ctx, ops)

    async def _step(self, ctx: aether.Context, name: str, fails: int, is_retried: bool, takes_s: float) -> Any:
        async def act() -> str:
            times = self.ledger.effect(self.worker, ctx.run_id, name)
            await anyio.sleep(takes_s)
            if times <= fails:
                raise ConnectionError(name)
            return name

        try:
            return await ctx.step(name, act, retry=RETRY if is_retried else None)
        except aether.StepFailed:
            return _FAILED

    async def _activity(self, ctx: aether.Context, name: str, fails: int, kind: str, takes_s: float) -> Any:
        try:
            return await ctx.activity(self.activities[kind], name, fails, takes_s)
        except aether.ActivityFailed:
            return _FAILED

    async def _sleep(self, ctx: aether.Context, seconds: float) -> None:
        before = ctx.now()
        await ctx.sleep(seconds)
        assert (ctx.now() - before).total_seconds() >= seconds, "a sleep was over too early"

    async def _publish(self, ctx: aether.Context, key: str, value: int) -> int:
        await ctx.publish(key, value)
        return value

    async def _undo(self, ctx: aether.Context, name: str) -> str:
        await ctx.on_failure(name, self.ledger.effect, self.worker, ctx.run_id, name)
        return name

    async def _signal(self, ctx: aether.Context, name: str, times: int) -> list[Any]:
        return [await ctx.wait_signal(name) for _ in range(times)]

    async def _promise(self, ctx: aether.Context, name: str, timeout_s: float) -> Any:
        promised = await ctx.promise(name, timeout_s=timeout_s or None)
        await ctx.publish(name, promised.token)
        try:
            return await promised.result()
        except TimeoutError:
            return _LATE

    async def _parallel(self, ctx: aether.Context, programs: list[Program], limit: int) -> Any:
        return await ctx.parallel([self._bound(ctx, ops) for ops in programs], limit=limit or None)

    async def _nursery(self, ctx: aether.Context, programs: list[Program]) -> int:
        async with ctx.nursery() as branches:
            for ops in programs:
                branches.start_soon(self.perform, ctx, ops)
        return len(programs)

    async def _race(self, ctx: aether.Context, programs: list[Program]) -> Any:
        return await ctx.race([self._bound(ctx, ops) for ops in programs])

    async def _within(self, ctx: aether.Context, seconds: float, ops: Program) -> Any:
        results: list[Any] = []
        async with ctx.move_on_after(seconds):
            results.append(await self.perform(ctx, ops))
        return results[0] if results else _LATE

    async def _deadline(self, ctx: aether.Context, seconds: float, ops: Program) -> Any:
        try:
            async with ctx.fail_after(seconds):
                return await self.perform(ctx, ops)
        except TimeoutError:
            return _LATE

    async def _cleanup(self, ctx: aether.Context, name: str, ops: Program) -> Any:
        try:
            return await self.perform(ctx, ops)
        finally:
            with ctx.shield():
                await self._step(ctx, name, 0, False, 0)

    async def _child(self, ctx: aether.Context, ops: Program) -> Any:
        try:
            return await ctx.child(self.program, ops)
        except aether.ChildFailed:
            return _FAILED
        except aether.ChildCancelled:
            return _CANCELLED

    async def _spawn(self, ctx: aether.Context, ops: Program, policy: Any, joins: bool) -> Any:
        spawned = await ctx.spawn(self.program.options(parent_close_policy=policy), ops)
        if not joins:
            return None
        try:
            return await spawned.result()
        except aether.ChildFailed:
            return _FAILED
        except aether.ChildCancelled:
            return _CANCELLED

    async def _fail(self, ctx: aether.Context) -> None:
        raise ValueError("as the program says")


def fits(program: Program, result: object, *, in_order: bool = True) -> bool:
    """Whether a run of the program may have returned that, whatever went wrong around it.

    `in_order`: signals came in the order in which they were sent. They may not where they were forgotten and sent anew.
    """
    return (
        isinstance(result, list)
        and len(result) == len(program)
        and all(_fits(op, value, in_order) for op, value in zip(program, result, strict=True))
    )


def may_fail(program: Program) -> bool:
    """Whether it can come to an end of its own that is not good."""
    return any(
        op[0] == "fail"
        or any(may_fail(below) for below in op[1:] if _is_program(below))
        or any(
            may_fail(branch) for below in op[1:] if isinstance(below, list) for branch in below if _is_program(branch)
        )
        for op in program
    )


def _is_program(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(op, list) and op and isinstance(op[0], str) for op in value)


def _fits(op: Op, value: Any, in_order: bool) -> bool:
    kind = op[0]
    if kind == "step":
        return bool(value == op[1] or (value == _FAILED and op[2] and not op[3]))
    if kind == "activity":
        return bool(value == op[1] or (value == _FAILED and op[3] in {"brief", "twice"}))
    if kind == "sleep":
        return value is None
    if kind in {"publish", "undo"}:
        return bool(value == op[-1])
    if kind == "fail":
        return False
    if kind == "signal":
        sent = list(range(op[2]))
        return bool(value == sent) or (
            not in_order and isinstance(value, list) and sorted(map(str, value)) == sorted(map(str, sent))
        )
    if kind == "promise":
        return bool(value == op[1] or (value == _LATE and op[2]))
    if kind == "parallel":
        return (
            isinstance(value, list)
            and len(value) == len(op[1])
            and all(fits(branch, each, in_order=in_order) for branch, each in zip(op[1], value, strict=True))
        )
    if kind == "nursery":
        return bool(value == len(op[1]))
    if kind == "race":
        return any(fits(branch, value, in_order=in_order) for branch in op[1])
    if kind in {"within", "deadline"}:
        return value == _LATE or fits(op[2], value, in_order=in_order)
    if kind == "cleanup":
        return fits(op[2], value, in_order=in_order)
    if kind == "spawn" and not op[3]:
        return value is None
    return value in (_FAILED, _CANCELLED) or fits(op[1], value, in_order=in_order)
