"""Whether the server can do its work right now, and what stands in the way."""

from attrs import define

from aether.errors import ServerUnavailable, StorageUnavailable
from aether.server.engine_loop import EngineLoop
from aether.server.tiers import Tier
from aether.server.writer import BatchWriter

# A commit that takes longer is one that may never end.
SILENCE_MAX_S = 10.0


@define(eq=False)
class Readiness:
    loop: EngineLoop
    writer: BatchWriter
    tier: Tier
    draining: bool = False

    @property
    def persistence(self) -> str:
        return self.tier.mode

    @property
    def fault(self) -> str:
        """Why nothing new can be taken; empty when all is well."""
        if self.draining:
            return "the server is stopping"
        return self.writer.fault or ""

    def checks(self) -> dict[str, str]:
        """What has to be well for new work to be taken, each with what is wrong with it; empty when nothing is."""
        return {
            "draining": "the server is stopping" if self.draining else "",
            "storage": self.writer.fault or self._silence(),
            "engine": ""
            if self.writer.has_room and not self.loop.is_full
            else "too much waits to be decided or written",
        }

    def _silence(self) -> str:
        stuck_s = self.writer.stuck_s
        return f"the disk has not answered for {stuck_s:.0f} s" if stuck_s > SILENCE_MAX_S else ""

    def check_told(self) -> None:
        """Raises what a question about an open run is answered with while its answer would wait behind a stuck disk."""
        self.check_room()
        if self.writer.fault:
            raise StorageUnavailable(f"{self.writer.fault}; until then the server tells nobody what is not on disk")

    def check_writable(self) -> None:
        """Raises what a request that would change something is answered with."""
        if self.draining:
            raise ServerUnavailable("the server is stopping; ask again")
        if self.writer.fault:
            raise StorageUnavailable(self.writer.fault)
        self.check_room()

    def check_room(self) -> None:
        """Raises what a request that may wait for long is answered with."""
        if self.loop.is_full:
            raise ServerUnavailable("too many requests wait; ask again in a moment")
