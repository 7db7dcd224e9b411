"""How many of a workflow's runs, or of an activity's attempts, go on at the same time: what users declare."""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from aether.errors import InvalidArgument
from aether.model.limits import DEFAULT_LIMITS
from aether.model.policy import ConcurrencyLimit


@frozen
class Concurrency:
    """At most `limit` at a time, over all workers; with `key`, a function of the arguments, so many for each key.

    `key` gives a text or a whole number. Workflows and activities with the same `name` share the limit; without one
    each has its own.
    """

    limit: int
    key: Callable[..., object] | None = None
    name: str = ""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.limit, int) or not 1 <= self.limit < 2**32:
            raise InvalidArgument(
                f"the limit of a Concurrency must be a number from 1, not {self.limit}", field="limit"
            )

    def limit_of(self, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConcurrencyLimit:
        """Of one call."""
        name = self.name or what
        if self.key is None:
            return ConcurrencyLimit(_checked(name, what), self.limit)
        key = self.key(*args, **kwargs)
        if not isinstance(key, str | int):
            raise InvalidArgument(f"the concurrency key of {what} must be a text or a number, not {key!r}", field="key")
        return ConcurrencyLimit(_checked(f"{name}/{key}", what), self.limit)


def _checked(key: str, what: str) -> str:
    if len(key) > DEFAULT_LIMITS.name_max or not key.isprintable():
        raise InvalidArgument(
            f"the concurrency key of {what}, {key[:40]!r}, must be at most {DEFAULT_LIMITS.name_max} characters that "
            "can be printed",
            field="key",
        )
    return key
