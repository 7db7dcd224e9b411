"""Numbers, times and lengths of time as people read them. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def micros(moment: datetime) -> int:
    """Since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def span(length_us: float) -> str:
    """At most six cells: 350µs, 41ms, 13.4s, 1m27s, 2h10m, 3d04h, 120d."""
    length_us = max(length_us, 0)
    if length_us < 1000:
        return f"{length_us:.0f}µs"
    if length_us < 999_500:
        return f"{length_us / 1000:.0f}ms"
    seconds = length_us / 1e6
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    days = whole // 86_400
    return f"{days}d{whole % 86_400 // 3600:02}h" if days < 100 else f"{days}d"


def age(since_us: int, now_us: int) -> str:
    """How long ago; clocks that differ a little do not make it negative."""
    return span(max(now_us - since_us, 0))


def count(number: float) -> str:
    """At most six cells: 142, 8,911, 12.3k, 4.1M."""
    return f"{number:,.0f}" if number < 10_000 else _short(number)


def rate(number: float) -> str:
    """A number for each second: 0, 2.1, 142, 1.92k."""
    if number <= 0:
        return "0"
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}" if number < 999.5 else _short(number)


def _short(number: float) -> str:
    size, unit = next((each for each in _UNITS if number >= 0.9995 * each[0]), _UNITS[-1])
    digits = number / size
    return f"{digits:.0f}{unit}" if digits >= 99.95 else f"{digits:.3g}{unit}"


def clock(at_us: int, *, with_date: bool = False, fraction: bool = False, is_local: bool = False) -> str:
    """A time of day in UTC, with Z so that nobody takes it for local time; or in local time, without."""
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
        moment = moment.astimezone() if is_local else moment
    except (OverflowError, OSError):
        return "?"
    text = moment.replace(tzinfo=None).isoformat(" ", "milliseconds" if fraction else "seconds")
    return text[0 if with_date else 11 :] + ("" if is_local else "Z")
