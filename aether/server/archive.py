"""Reads from the store, off the engine's path: closed runs, lists, histories.

Every read gets a connection of its own for as long as it lasts, from a small pool, and runs in a thread, so a slow
query never keeps the engine waiting. What is read is what is durable; under a tier that decides ahead of the disk,
`settle` brings the disk up to date first.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from aether.model import events as e
from aether.server.machine import Call, call_in_thread
from aether.store.interface import EventRow, Reader, Store, StoreDamaged, StoreError
from aether.wire.convert import KINDS, decode_event

R = TypeVar("R")
READERS_MAX = 3
PAGE_EVENTS = 2_000


class Archive:
    def __init__(self, store: Store, call: Call = call_in_thread) -> None:
        self._store = store
        self._call = call
        # Returns when everything that was decided is on disk. None: nobody is told of anything before it is.
        self.settle: Callable[[bool], Awaitable[None]] | None = None
        self._idle: list[Reader] = []
        self._limiter = trio.CapacityLimiter(READERS_MAX)

    @property
    def is_apart(self) -> bool:
        """Whether queries are answered in a thread of their own."""
        return self._store.is_durable

    async def read(self, query: Callable[[Reader], R], *, is_patient: bool = False, is_content: bool = False) -> R:
        """`query`'s answer. Raises what the store raises; who is patient waits while nothing can be written.

        Who is content takes what is on disk, and urges nobody to bring it up to date.
        """
        if self.settle is not None and not is_content:
            await self.settle(is_patient)
        async with self._limiter:
            reader = self._idle.pop() if self._idle else self._store.reader()
            is_fit = True
            try:
                if not self._store.is_durable:
                    await trio.lowlevel.checkpoint()
                    return query(reader)
                # The query runs to its end even if nobody waits any more: the connection must not be in two hands.
                return await self._call(partial(query, reader))
            except StoreError as fault:
                # Whoever asks again shall not meet what is left of a failure.
                is_fit = isinstance(fault, StoreDamaged)
                raise
            finally:
                if is_fit:
                    self._idle.append(reader)
                else:
                    reader.close()

    async def events(self, run_key: int, first_seq: int, last_seq: int) -> list[EventRow]:
        """Events of one run, all that are asked for."""
        rows: list[EventRow] = []
        while first_seq <= last_seq:
            limit, after = min(PAGE_EVENTS, last_seq - first_seq + 1), first_seq - 1
            page = await self.read(lambda reader: reader.events(run_key, after, limit), is_patient=True)  # noqa: B023 - awaited at once
            if not page:
                break
            rows += page
            first_seq = page[-1].seq + 1
        return rows

    def close(self) -> None:
        for reader in self._idle:
            reader.close()
        self._idle.clear()


async def find_fact(
    archive: Archive, run_key: int, kinds: tuple[type[e.Fact], ...], is_that: Callable[[e.Fact], bool]
) -> e.Event | None:
    """The last event of a run whose fact is of one of the kinds and fits; None if there is none."""
    wanted = {KINDS[kind] for kind in kinds}
    found: e.Event | None = None
    after = 0
    while True:
        page = await archive.read(lambda reader: reader.events(run_key, after, PAGE_EVENTS))  # noqa: B023 - at once
        for row in page:
            if row.kind in wanted and is_that((event := decode_event(row.body)).fact):
                found = event
        if len(page) < PAGE_EVENTS:
            return found
        after = page[-1].seq
