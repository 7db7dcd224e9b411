"""Counts what a peer may not do without end: frames that cost us work and carry no message."""

from __future__ import annotations

from aether.wire.frames import ErrorCode, LinkError
from aether.wire.limits import TransportLimits


class FloodGuard:
    """Counts per window.

    The clock is looked at only when a count is used up, so counting costs next to nothing. A peer that has
    been quiet may therefore use up to twice the count once, which the limits allow for.
    """

    __slots__ = ("_limits", "_noise", "_pings", "_resets", "_settings", "_since")

    def __init__(self, limits: TransportLimits, now: float) -> None:
        self._limits = limits
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._since = now
        self._resets = self._pings = self._settings = self._noise = 0

    def _exceeded(self, what: str, now: float) -> None:
        if now - self._since < self._limits.flood_window_s:
            raise LinkError(ErrorCode.ENHANCE_YOUR_CALM, f"too many {what}")
        self._restart(now)

    def reset(self, now: float) -> None:
        """A stream reset by the peer, or refused for its fault. Raises LinkError, like the others."""
        self._resets += 1
        if self._resets > self._limits.resets:
            self._exceeded("resets", now)

    def ping(self, now: float) -> None:
        self._pings += 1
        if self._pings > self._limits.pings:
            self._exceeded("pings", now)

    def settings(self, now: float) -> None:
        self._settings += 1
        if self._settings > self._limits.settings:
            self._exceeded("settings", now)

    def noise(self, now: float) -> None:
        """A frame without a message that honest peers send a lot of."""
        self._noise += 1
        if self._noise > self._limits.noise:
            self._exceeded("frames without content", now)
