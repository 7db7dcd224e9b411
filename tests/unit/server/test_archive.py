from pathlib import Path

import pytest
import trio

from aether.server.archive import READERS_MAX, Archive
from aether.store.interface import Batch, EventRow, Reader, RunRow, Store
from aether.store.memory import MemoryStore
from aether.store.open import open_store


def fill(store: Store, events: int) -> None:
    row = RunRow(1, "a", "r", "t", "default", 2, None, 1, None)
    store.commit([Batch([row], [], [EventRow(1, seq, seq, 20, b"%d" % seq) for seq in range(1, events + 1)])])


def test_where_the_disk_lags_behind_it_is_brought_up_to_date_before_it_is_read() -> None:
    store = MemoryStore()
    store.open()

    async def main() -> None:
        archive = Archive(store)
        patience = []

        async def settle(is_patient: bool) -> None:
            patience.append(is_patient)
            if len(patience) == 1:
                fill(store, 3)

        archive.settle = settle
        assert len(await archive.events(1, 1, 3)) == 3
        assert await archive.read(lambda reader: reader.last_event(1)) is not None
        assert patience == [True, False]

    trio.run(main)


@pytest.mark.parametrize("location", ["memory", "file"])
def test_events_are_read_page_by_page_up_to_the_last_that_was_asked_for(tmp_path: Path, location: str) -> None:
    store = open_store(str(tmp_path / "a.db") if location == "file" else location)
    store.open()
    fill(store, 4_500)

    async def main() -> None:
        archive = Archive(store)
        rows = await archive.events(1, 3, 4_400)
        assert [row.seq for row in rows] == list(range(3, 4_401))
        assert len(await archive.events(1, 4_499, 9_999)) == 2
        archive.close()

    trio.run(main)
    store.close()


def test_readers_are_few_and_are_used_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "a.db"))
    store.open()
    fill(store, 1)
    seen: set[int] = set()

    async def main() -> None:
        archive = Archive(store)

        def query(reader: Reader) -> None:
            seen.add(id(reader))
            assert reader.run("a", None) is not None

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(archive.read, query)
        assert len(seen) <= READERS_MAX
        with pytest.raises(ZeroDivisionError):
            await archive.read(lambda reader: 1 // 0)
        await archive.read(query)
        assert len(seen) <= READERS_MAX
        archive.close()

    trio.run(main)
    store.close()
