"""Which loop, writer and store go with which tier."""

from pathlib import Path

import pytest

from aether.server.desk import ThreadDesk
from aether.server.engine_loop import EngineLoop
from aether.server.gathering import GatheringWriter
from aether.server.settings import Persistence
from aether.server.snapshot_loop import SnapshotLoop
from aether.server.tiers import Tier
from aether.server.writer import DirectWriter, Writer, WriterLimits
from aether.store.interface import Opened, StoreFailed
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore


def nobody(ticket: int) -> None:
    """Who is not told."""


@pytest.mark.parametrize(
    ("mode", "loop", "writer", "lineage", "interval_s"),
    [
        (Persistence.MEMORY, EngineLoop, DirectWriter, 0, 0),
        (Persistence.SNAPSHOT, SnapshotLoop, GatheringWriter, 7, 0.5),
        (Persistence.STATE_ACTION_LOG, EngineLoop, Writer, 0, 0),
    ],
)
def test_a_tier_gets_its_loop_and_its_writer(
    tmp_path: Path, mode: Persistence, loop: type, writer: type, lineage: int, interval_s: float
) -> None:
    tier = Tier(mode, 0.5)
    store = MemoryStore() if mode is Persistence.MEMORY else SqliteStore(str(tmp_path / "a.db"))
    tier.check(store)
    made, settle = tier.writer(store, nobody, ThreadDesk, WriterLimits())
    assert tier.loop is loop
    assert type(made) is writer
    assert (settle is not None) == (mode is Persistence.SNAPSHOT)
    assert tier.lineage(Opened(7, 1, created=False)) == lineage
    assert tier.interval_s == interval_s
    assert tier.lag_s(made) == 0


def test_a_mode_that_does_not_go_with_the_store_is_refused_with_advice(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    with pytest.raises(StoreFailed) as kept:
        Tier(Persistence.MEMORY).check(SqliteStore(path))
    assert str(kept.value) == (
        f"{path}: this store keeps what is written, and in persistence mode memory nothing is kept; "
        "choose another mode, or another database"
    )
    for mode in (Persistence.SNAPSHOT, Persistence.STATE_ACTION_LOG):
        with pytest.raises(StoreFailed, match=f"does not keep what is written, and in persistence mode {mode} every"):
            Tier(mode).check(MemoryStore())
