"""Tests of workflows as plain functions: each brings an event loop with a virtual clock of its own."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import trio
import trio.testing

from aether.sdk import entropy as entropy_of_sdk
from aether.sdk.client import Client
from aether.sdk.define import Activity, Workflow
from aether.server import entropy as entropy_of_server
from aether.testing.crashes import CrashReport, Plug, Trial, find_faults
from aether.testing.environment import START, Environment, Replacements, silence
from aether.testing.seeded import dice, run_seeded

P = ParamSpec("P")
R = TypeVar("R")

_PATIENCE_S: Final = 20 * 366 * 86_400.0
Scenario = Callable[[Environment], Awaitable[R]]


class Stuck(AssertionError):
    """Nothing moves any more, and the test still waits. Says what the open runs wait for."""


class Testbed:
    """Where the workflows of one client are tried out.

    `seed` decides in which order tasks take their turns and what ids are drawn; one seed, one course of things.
    `start` is what the clock shows at first.
    """

    __test__ = False  # no test class of pytest's

    def __init__(self, client: Client, *, seed: int = 0, start: datetime = START) -> None:
        self.client = client
        self.seed = seed
        self._start = start
        self._replacements = Replacements()

    def replace(self, activity: Activity[P, R], fake: Callable[P, Awaitable[R]] | Callable[P, R], /) -> None:
        """Have `fake` called in place of the activity, async or plain, with the same arguments."""
        self._replacements.replace(activity, fake)

    def run(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of one run. Raises `WorkflowFailed`, `WorkflowCancelled` or `Stuck`."""
        return self.play(_run_of(workflow, *args, **kwargs))

    def play(self, scenario: Scenario[R]) -> R:
        """What the scenario returns, in an environment of its own."""
        return self._play(scenario, Plug(), lambda environment: None)

    def test(self, function: Callable[Concatenate[Environment, P], Awaitable[R]]) -> Callable[P, R]:
        """Decorates an async test that takes an environment, and fixtures if it likes; it becomes a plain function."""

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.play(lambda env: function(env, *args, **kwargs))

        signature = inspect.signature(function)
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=list(signature.parameters.values())[1:]
        )
        return run

    def crash_everywhere(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> CrashReport:
        """Run it once for each recorded position and kind of crash there, and compare with a run without.

        Raises:
            CrashFaults: A run came to another end than the one that nothing happened to, or a step ran again whose
                outcome was recorded.

        """
        return self.crash_everywhere_in(_run_of(workflow, *args, **kwargs))

    def crash_everywhere_in(self, scenario: Scenario[Any]) -> CrashReport:
        """The same for a scenario that does more than start one run; what it returns or raises is compared."""
        calm = self._try(scenario, Plug())
        return find_faults(calm, (self._try(scenario, plug) for plug in Plug.everywhere(calm.commits)))

    def _try(self, scenario: Scenario[Any], plug: Plug) -> Trial:
        trial = Trial(plug)
        try:
            with silence():
                trial.returned = self._play(scenario, plug, trial.take)
        except Stuck:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the scenario raises is compared
            trial.raised = error
        return trial

    def _play(self, scenario: Scenario[R], plug: Plug, at_end: Callable[[Environment], None]) -> R:
        async def main() -> R:
            replacements = Replacements(dict(self._replacements.by_name))
            environment = plug.environment = Environment(self.client, replacements, self._start, plug)
            async with environment.run():
                try:
                    with trio.move_on_after(_PATIENCE_S):
                        return await scenario(environment)
                    raise Stuck(f"{plug.prefix}nothing moves any more: {await environment.describe_waiting()}")
                finally:
                    at_end(environment)

        draws = dice(self.seed)
        with entropy_of_sdk.drawing_from(draws.randbytes), entropy_of_server.drawing_from(draws.randbytes):
            return run_seeded(self.seed, main, clock=trio.testing.MockClock(autojump_threshold=0))


def _run_of(workflow: Workflow[P, R], *args: P.args, **kwargs: P.kwargs) -> Scenario[R]:
    async def start_and_wait(environment: Environment) -> R:
        return await workflow.start_and_wait(*args, **kwargs)

    return start_and_wait


def run(workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of one run, with the activities as they are, on a virtual clock."""
    return Testbed(workflow.client).run(workflow, *args, **kwargs)


def crash_everywhere(workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> CrashReport:
    """Run it once for each recorded position with a crash there; see `Testbed.crash_everywhere`."""
    return Testbed(workflow.client).crash_everywhere(workflow, *args, **kwargs)
