"""`frozen`: what classes of data are made with, as `attrs.frozen` does it, in less than half the time.

To attrs each class is a text that Python compiles, once for a constructor and as often for comparing, hashing and
showing. There are so many classes of data here that compiling them was most of what a server did until it was ready.
The constructor has to be quick; the others go by the fields' names and are the same functions for all classes.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from attrs import frozen
else:

    def frozen(kind: type) -> type:
        made = attrs.frozen(eq=False, repr=False)(kind)
        made.__eq__, made.__hash__ = _comparing(made)
        made.__repr__ = _show
        return made


__all__ = ["frozen"]


def _comparing(kind: type) -> tuple[Callable[[object, object], object], Callable[[object], int]]:
    names = _names(kind)
    values: Callable[[object], object] = attrgetter(*names) if names else lambda one: ()

    def is_equal(one: object, other: object) -> object:
        if type(other) is not type(one):
            return NotImplemented
        return values(one) == values(other)

    def hashed(one: object) -> int:
        return hash((kind, values(one)))

    return is_equal, hashed


def _show(one: object) -> str:
    shown = ", ".join([f"{name}={getattr(one, name)!r}" for name in _names(type(one))])
    return f"{type(one).__qualname__.rsplit('>.', 1)[-1]}({shown})"


def _names(kind: type) -> list[str]:
    return [field.name for field in attrs.fields(kind)]
