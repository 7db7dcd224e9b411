"""Timer wheel: what is due, at a cost that does not grow with how many sleep.

Theory of operation. Time is counted in milliseconds, rounded up, so nothing is ever early. Seven levels have 256 slots
each, enough for any time that 64 bits hold. A timer lives at the level of the highest byte in which its deadline
differs from the wheel's present, in the slot that this byte names. Hence a slot of a lower level is always due before
any slot of a higher one, and the next slot to open is the lowest set bit of the lowest level that has one. Opening a
slot moves the present to the slot's beginning and files its timers anew: lower down, or, those that are due, into a
heap, from which they are handed out. A timer is filed at most eight times in its life. A slot with very many is opened
bit by bit, over several calls, and until it is done nothing else is: a call takes as long with a million timers as with
a thousand.
"""

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_BITS = 8
_LEVELS = 7
_MASK = (1 << _BITS) - 1
_US_PER_MS = 1_000
# Filing a timer anew is so much cheaper than what its owner does when it is due.
_FILED_PER_DUE = 16


class TimerWheel(Generic[K]):
    """Keys with deadlines in microseconds; one deadline a key."""

    def __init__(self, now: int) -> None:
        self._now_ms = now // _US_PER_MS
        self._slots: list[dict[int, dict[K, int]]] = [{} for _ in range(_LEVELS)]
        self._occupied = [0] * _LEVELS
        # Level and slot of each key; of one that is overdue, -1 and its entry's number.
        self._places: dict[K, tuple[int, int]] = {}
        # (deadline, number, key), the earliest first; entries of keys that have gone meanwhile are passed over.
        self._overdue: list[tuple[int, int, K]] = []
        self._last_overdue = 0
        # What is left of the slot that is being opened.
        self._opening: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def arm(self, key: K, due: int) -> None:
        """Set or move the deadline of `key`."""
        self.cancel(key)
        self._file(key, -(-due // _US_PER_MS))

    def cancel(self, key: K) -> bool:
        """Forget `key`; says whether it was armed."""
        place = self._places.pop(key, None)
        if place is None:
            return False
        level, slot = place
        if level < 0:
            return True
        timers = self._slots[level].get(slot)
        if timers is None:
            # Nothing is filed into the slot that is being opened, so the key is of those that are left of it.
            del self._opening[key]
            return True
        del timers[key]
        if not timers:
            self._vacate(level, slot)
        return True

    def deadlines(self) -> Iterator[tuple[K, int]]:
        """Everything that is armed, with its deadline as it was rounded up."""
        for slots in (*self._slots, {0: self._opening}):
            for timers in slots.values():
                for key, due_ms in timers.items():
                    yield key, due_ms * _US_PER_MS
        for due_ms, number, key in self._overdue:
            if self._places.get(key) == (-1, number):
                yield key, due_ms * _US_PER_MS

    def due_at(self, key: K) -> int | None:
        """The deadline of `key` as it was rounded up; the wheel's present if it has passed, None if it is not armed."""
        place = self._places.get(key)
        if place is None:
            return None
        level, slot = place
        if level < 0:
            return self._now_ms * _US_PER_MS
        return self._slots[level].get(slot, self._opening)[key] * _US_PER_MS

    def next_due(self) -> int | None:
        """When `advance` has something to do next, in microseconds; never later than the next deadline."""
        if self._has_overdue():
            return self._overdue[0][0] * _US_PER_MS
        if self._opening:
            return self._now_ms * _US_PER_MS
        opening = self._next_opening()
        return None if opening is None else opening[0] * _US_PER_MS

    def advance(self, now: int, at_most: int) -> list[K]:
        """Move the present to `now`; the keys that are due, by deadline.

        Those beyond `at_most`, or beyond what is filed anew in one call, come with the next calls; until then
        `next_due` is in the past.
        """
        now_ms = now // _US_PER_MS
        due: list[K] = []
        filings = at_most * _FILED_PER_DUE
        while len(due) < at_most and filings > 0:
            if self._opening:
                self._file(*self._opening.popitem())
                filings -= 1
            elif self._has_overdue():
                key = heappop(self._overdue)[2]
                del self._places[key]
                due.append(key)
            elif (opening := self._next_opening()) is not None and opening[0] <= now_ms:
                self._now_ms, level, slot = opening
                self._opening = self._slots[level][slot]
                self._vacate(level, slot)
            else:
                self._now_ms = max(self._now_ms, now_ms)
                break
        return due

    def _has_overdue(self) -> bool:
        overdue = self._overdue
        while overdue and self._places.get(overdue[0][2]) != (-1, overdue[0][1]):
            heappop(overdue)
        return bool(overdue)

    def _file(self, key: K, due_ms: int) -> None:
        if due_ms <= self._now_ms:
            self._last_overdue += 1
            heappush(self._overdue, (due_ms, self._last_overdue, key))
            self._places[key] = (-1, self._last_overdue)
            return
        level = ((due_ms ^ self._now_ms).bit_length() - 1) // _BITS
        slot = (due_ms >> (_BITS * level)) & _MASK
        self._slots[level].setdefault(slot, {})[key] = due_ms
        self._occupied[level] |= 1 << slot
        self._places[key] = (level, slot)

    def _vacate(self, level: int, slot: int) -> None:
        del self._slots[level][slot]
        self._occupied[level] &= ~(1 << slot)

    def _next_opening(self) -> tuple[int, int, int] | None:
        for level, occupied in enumerate(self._occupied):
            if occupied:
                slot = (occupied & -occupied).bit_length() - 1
                above = self._now_ms >> (_BITS * (level + 1))
                return ((above << _BITS) | slot) << (_BITS * level), level, slot
        return None
