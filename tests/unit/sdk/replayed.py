"""A replay that tests drive by hand: what the server sends, and what it records."""

from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.sdk.replay import Replay
from aether.sdk.waiters import Branch, Fork

INPUT = Payload(b"[]")
ONE = Payload(b"1")
BAD = Failure("ValueError", "no")


def created() -> list[e.Fact]:
    return [e.RunCreated("w", "r", "t", "default", INPUT), e.RunStarted("worker", 1)]


def begun(*facts: e.Fact) -> Replay:
    """A run whose task held these facts; its code is about to begin."""
    replay = Replay()
    for at, fact in enumerate([*created(), *facts], start=1):
        replay.receive(at, fact)
    replay.pump()
    return replay


def send(replay: Replay, fact: e.Fact, at: int = 100) -> None:
    replay.receive(at, fact)
    replay.pump()


def acknowledge(replay: Replay, at: int = 100) -> None:
    """The server has recorded what was sent."""
    commands, replay.commands[:] = list(replay.commands), []
    for command in commands:
        replay.receive(at, command)
    replay.pump()


def tell(replay: Replay, outcome: c.RecordStep) -> None:
    """The function of a step has ended."""
    replay.waiters[outcome.path].is_told = True
    replay.commands.append(outcome)


def activity(path: str, name: str = "charge") -> c.ScheduleActivity:
    return c.ScheduleActivity(path, name, "", INPUT)


def two_branches(replay: Replay) -> tuple[Fork, Branch, Branch]:
    fork = replay.fork(replay.root)
    left, right = replay.open_branch(fork), replay.open_branch(fork)
    replay.join(fork)
    return fork, left, right


def scheduled(path: str) -> e.ActivityScheduled:
    return e.ActivityScheduled(path, "charge", "q", INPUT)


CHILD = c.StartChild("1", "ship", "", "", INPUT)
