"""Times and lengths of time, as people want to read them. Pure."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from attrs import frozen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Times(StrEnum):
    """Values of `--time`."""

    UTC = "utc"
    LOCAL = "local"
    RELATIVE = "relative"


@frozen(order=True)
class Moment:
    """A time in a cell of a table, which says how it is shown only when it is. 0: none, and nothing is shown."""

    at_us: int


def duration(length_us: int) -> str:
    """A length of time for people: 350 ms, 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    seconds = abs(length_us) / 1_000_000
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def moment_text(at_us: int, times: Times, now_us: int) -> str:
    """The time as it was asked for; UTC sorts as text. Empty for 0, which stands for none."""
    if not at_us:
        return ""
    if times is Times.RELATIVE:
        return f"in {duration(at_us - now_us)}" if at_us > now_us else f"{duration(now_us - at_us)} ago"
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
        if times is Times.LOCAL:
            return moment.astimezone().isoformat(" ", timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{at_us} us"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
