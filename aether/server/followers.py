"""Who follows histories of open runs, or all that happens: woken when events have become durable, and not before.

Nobody is asked again and again: whoever makes a batch marks the followers of its runs with the batch's ticket, and the
announcement of that ticket wakes them. While nobody follows, both are one look at an empty table.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import trio
from attrs import define, field

from aether.errors import LimitExceeded


@define(eq=False)
class Follower:
    """`news` is set when there may be durable events that were not read yet; `clear` before reading them."""

    run_key: int
    news: trio.Event = field(factory=trio.Event)
    # The first and the last ticket that is not durable and has events of the run; 0: there is none.
    _first: int = 0
    _last: int = 0

    def mark(self, ticket: int) -> None:
        self._first = self._first or ticket
        self._last = ticket

    def durable(self, ticket: int) -> None:
        if 0 < self._first <= ticket:
            self._first = self._last if self._last > ticket else 0
            self.news.set()

    def clear(self) -> None:
        self.news = trio.Event()


@define(eq=False)
class Listener:
    """Of all runs. `news` is set when something has become durable; `clear` before reading it."""

    news: trio.Event = field(factory=trio.Event)

    def clear(self) -> None:
        self.news = trio.Event()


class Followers:
    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._listeners: dict[Listener, None] = {}
        self._announced = 0
        self._count = 0
        self._by_run: dict[int, dict[Follower, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_run or self._listeners)

    @contextmanager
    def follow(self, run_key: int, last_ticket: int) -> Iterator[Follower]:
        """`last_ticket` is that of the last batch: what it has may not be durable yet. Raises LimitExceeded."""
        if self._count >= self._at_most:
            raise LimitExceeded(f"{self._count} histories are followed; no room for another")
        follower = Follower(run_key)
        follower.mark(last_ticket)
        self._count += 1
        self._by_run.setdefault(run_key, {})[follower] = None
        try:
            yield follower
        finally:
            self._count -= 1
            del self._by_run[run_key][follower]
            if not self._by_run[run_key]:
                del self._by_run[run_key]

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """To everything. Whoever lets programs listen bounds their number; who belongs to the server needs no seat."""
        listener = Listener()
        self._listeners[listener] = None
        try:
            yield listener
        finally:
            del self._listeners[listener]

    def mark(self, run_keys: Iterable[int], ticket: int) -> None:
        """A batch with events of these runs is on its way to disk."""
        for run_key in self._by_run.keys() & set(run_keys):
            for follower in self._by_run[run_key]:
                follower.mark(ticket)

    def durable(self, ticket: int) -> None:
        """Everything up to `ticket` is on disk."""
        for followers in self._by_run.values():
            for follower in followers:
                follower.durable(ticket)
        if ticket > self._announced:
            self._announced = ticket
            for listener in self._listeners:
                listener.news.set()
