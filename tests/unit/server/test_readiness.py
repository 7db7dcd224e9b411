"""What stands in the way of new work."""

import attrs

from aether.core.engine import Engine
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.readiness import SILENCE_MAX_S, Readiness
from aether.server.tally import Tally
from aether.server.tiers import Tier
from aether.server.writer import Writer, WriterLimits
from aether.store.interface import Batch
from aether.store.memory import MemoryStore


class Disk(MemoryStore):
    is_durable = True


@attrs.define
class Clock:
    at: float = 0.0

    def now(self) -> int:
        return int(self.at * 1e6)


def made(limits: WriterLimits | None = None) -> tuple[Readiness, Writer, Clock]:
    clock = Clock()
    loop = EngineLoop(Engine(0), clock, Histories(1_000), Tally({}))  # type: ignore[arg-type]
    writer = Writer(Disk(), loop.on_durable, limits, clock=lambda: clock.at)
    loop.attach(writer)
    return Readiness(loop, writer, Tier()), writer, clock


def test_a_server_that_can_work_fails_no_check():
    readiness, _, _ = made()
    assert not any(readiness.checks().values())


def test_a_disk_that_does_not_answer_for_long_is_what_fails():
    readiness, writer, clock = made()
    writer._committing_since = clock.at = 50.0
    clock.at += SILENCE_MAX_S
    assert not readiness.checks()["storage"]
    clock.at += 2
    assert readiness.checks()["storage"] == "the disk has not answered for 12 s"
    writer.fault = "no room"
    assert readiness.checks()["storage"] == "no room"


def test_a_server_that_stops_or_has_too_much_in_hand_says_so():
    readiness, writer, _ = made(WriterLimits(waiting_batches=1))
    readiness.draining = True
    writer.submit(Batch([], [], []))
    assert {name for name, fault in readiness.checks().items() if fault} == {"draining", "engine"}
