"""Which store a location means: the one place that knows all of them."""

from aether.store.interface import Store, StoreFailed
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore

_ADVICE = "use memory, a path, or sqlite:///path (sqlite:////path from the root)"


def open_store(location: str) -> Store:
    """Return the store for `memory`, a path or `sqlite:///path`, unopened; StoreFailed for others."""
    if location == "memory":
        return MemoryStore()
    scheme, separator, rest = location.partition("://")
    if not separator:
        if not location or location == ":memory:":
            raise StoreFailed("this names no store", where=repr(location), advice=_ADVICE)
        return SqliteStore(location)
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        # The rest of a URL can hold a password.
        raise StoreFailed("there is no store for this kind of location", where=f"{scheme}://", advice=_ADVICE)
    return SqliteStore(rest[1:])
