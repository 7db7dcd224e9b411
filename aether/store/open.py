"""Which store a location means: the one place that knows all of them."""

from typing import Final

from aether.store.interface import Store, StoreError, StoreFailed
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore

GROUP: Final = "aether.stores"
"""Entry points of this group make stores: each takes the whole location and returns a Store, unopened."""

CUSTOM: Final = "custom+"

_ADVICE: Final = "use memory, a path, sqlite:///path (sqlite:////path from the root), or custom+NAME://…"


def open_store(location: str) -> Store:
    """Return the store for `memory`, a path, `sqlite:///path` or `custom+NAME://…`, unopened; or raise StoreFailed."""
    if location == "memory":
        return MemoryStore()
    scheme, separator, rest = location.partition("://")
    if not separator:
        if not location or location == ":memory:":
            raise StoreFailed("this names no store", where=repr(location), advice=_ADVICE)
        return SqliteStore(location)
    if scheme.startswith(CUSTOM):
        return _custom_store(scheme, location)
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        # The rest of a URL can hold a password.
        raise StoreFailed("there is no store for this kind of location", where=f"{scheme}://", advice=_ADVICE)
    return SqliteStore(rest[1:])


def _custom_store(scheme: str, location: str) -> Store:
    """The store that an installed package has under that name."""
    from importlib.metadata import entry_points  # most servers have no use for it

    there = entry_points(group=GROUP)
    found = [point for point in there if point.name == scheme.removeprefix(CUSTOM)]
    where = f"{scheme}://"
    if not found:
        names = ", ".join(sorted(point.name for point in there)) or "none"
        raise StoreFailed(
            "no store of that name is installed",
            where=where,
            advice=f"install the package that brings it where Aether is installed (there: {names})",
        )
    try:
        store: Store = found[0].load()(location)
    except StoreError:
        raise
    except Exception as error:
        raise StoreFailed(
            f"{found[0].value} can not make the store ({type(error).__name__}: {error})",
            where=where,
            advice="look into the package that brings it",
        ) from error
    return store
