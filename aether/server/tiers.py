"""What an acknowledgement means: the one place where a tier gets its loop and its writer.

L0  memory              it is in memory
L1  snapshot            it is in memory, and on disk an interval later; how a run ended is on disk
L2  state-action-log    it is on disk
"""

from collections.abc import Awaitable, Callable

from attrs import frozen

from aether.model.limits import SNAPSHOT_INTERVAL_S
from aether.server.desk import Desk
from aether.server.engine_loop import EngineLoop
from aether.server.gathering import GatheringWriter
from aether.server.settings import Persistence
from aether.server.snapshot_loop import SnapshotLoop
from aether.server.writer import BatchWriter, WriterLimits, new_writer
from aether.store.interface import Opened, Store, StoreFailed

Settle = Callable[[bool], Awaitable[None]]


@frozen
class Tier:
    """`snapshot_interval_s` matters to the mode `snapshot` alone."""

    mode: str = Persistence.STATE_ACTION_LOG
    snapshot_interval_s: float = SNAPSHOT_INTERVAL_S

    @property
    def is_ahead(self) -> bool:
        """People are told of what is not on disk yet."""
        return self.mode == Persistence.SNAPSHOT

    def check(self, store: Store) -> None:
        """Raises StoreFailed for a store that can not keep what the mode promises, or would keep what it does not."""
        if store.is_durable == (self.mode != Persistence.MEMORY):
            return
        kept, wanted = ("keeps", "nothing is kept") if store.is_durable else ("does not keep", "everything is kept")
        raise StoreFailed(
            f"this store {kept} what is written, and in persistence mode {self.mode} {wanted}",
            where=store.location,
            advice="choose another mode, or another database",
        )

    @property
    def loop(self) -> type[EngineLoop]:
        return SnapshotLoop if self.is_ahead else EngineLoop

    def writer(
        self, store: Store, on_durable: Callable[[int], None], desk: Callable[[], Desk], limits: WriterLimits
    ) -> tuple[BatchWriter, Settle | None]:
        """The writer, and what brings the disk up to date before it is read, where it lags behind."""
        if not self.is_ahead:
            return new_writer(store, on_durable, limits, desk=desk), None
        writer = GatheringWriter(store, on_durable, self.snapshot_interval_s, limits, desk=desk())
        return writer, writer.settle

    @property
    def interval_s(self) -> float:
        """How far the disk may be behind; 0 where it never is."""
        return self.snapshot_interval_s if self.is_ahead else 0.0

    def lag_s(self, writer: BatchWriter) -> float:
        """How far it is behind now."""
        return writer.oldest_s if isinstance(writer, GatheringWriter) else 0.0

    def lineage(self, opened: Opened) -> int:
        """Another number after each start that may follow a loss of what was acknowledged."""
        return opened.epoch if self.is_ahead else 0
