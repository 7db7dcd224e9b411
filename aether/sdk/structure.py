"""The cattrs converter: how values that JSON does not know look in JSON.

| Python                | JSON                                            |
|-----------------------|-------------------------------------------------|
| attrs, dataclass      | object with a member for each field             |
| enum                  | its value                                       |
| datetime, date, time  | ISO 8601                                        |
| timedelta             | number of seconds                               |
| UUID, Decimal, path   | string                                          |
| bytes                 | string, base64                                  |
| tuple, set, frozenset | array; sets are sorted, so that equal sets look alike |

Scalars are not converted into each other: "5" is no int. Imported only when a value needs it: cattrs takes a while.
"""

import base64
import datetime as dt
import decimal
import enum
import json
import pathlib
import uuid
from collections.abc import Callable
from typing import Any, Final

from cattrs import Converter, transform_error
from cattrs.strategies import configure_union_passthrough


def structure(value: object, hint: Any) -> Any:
    return _CONVERTER.structure(value, hint)


def unstructure(value: object, hint: Any) -> Any:
    return _CONVERTER.unstructure(value, unstructure_as=hint)


def faults(error: Exception) -> list[str]:
    """Every fault with its place, as cattrs tells them."""
    return transform_error(error, path="$", format_exception=_tell)


def _tell(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return f"required field {error} is missing"
    return str(error) or type(error).__name__


def _strict(kind: type) -> Callable[[object, Any], object]:
    def check(value: object, hint: Any) -> object:
        # Asked for what is derived from it too: an enum of texts or numbers has to become its member.
        if isinstance(hint, enum.EnumType):
            return hint(value)
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        # Whoever starts a run by hand writes 123 and means a text.
        hint = f'; as JSON a text is "{value}"' if kind is str and type(value) in {int, float} else ""
        raise TypeError(f"{_short(value)} is no {kind.__name__}{hint}")

    return check


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _from_text(kind: Any, parse: Callable[[str], object]) -> Callable[[object, Any], object]:
    def read(value: object, _: Any) -> object:
        if type(value) is kind:
            return value
        if not isinstance(value, str):
            raise TypeError(f"{_short(value)} is no text of a {kind.__name__}")
        try:
            return parse(value)
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"{_short(value)} is no {kind.__name__}") from error

    return read


def _seconds(value: object, _: Any) -> dt.timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return dt.timedelta(seconds=value)
    raise TypeError(f"{_short(value)} is no number of seconds")


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=json.dumps)


def _converter() -> Converter:
    converter = Converter()
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _strict(kind))
    texts: tuple[tuple[Any, Callable[[Any], object], Callable[[str], object]], ...] = (
        (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
        (dt.date, dt.date.isoformat, dt.date.fromisoformat),
        (dt.time, dt.time.isoformat, dt.time.fromisoformat),
        (uuid.UUID, str, uuid.UUID),
        (decimal.Decimal, str, decimal.Decimal),
        (bytes, lambda raw: base64.b64encode(raw).decode(), lambda text: base64.b64decode(text, validate=True)),
        (pathlib.Path, str, pathlib.Path),
        (pathlib.PurePath, str, pathlib.PurePath),
    )
    for kind, write, parse in texts:
        converter.register_unstructure_hook(kind, write)
        converter.register_structure_hook(kind, _from_text(kind, parse))
    converter.register_unstructure_hook(dt.timedelta, dt.timedelta.total_seconds)
    converter.register_structure_hook(dt.timedelta, _seconds)
    # `list[object]`: whatever JSON gives.
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    for collection in (set, frozenset):
        _arrange_sets(converter, collection)
    configure_union_passthrough(str | int | float | bool | None, converter)
    return converter


def _arrange_sets(converter: Converter, collection: type) -> None:
    origins = (collection,)

    def is_such(hint: Any) -> bool:
        return hint in origins or getattr(hint, "__origin__", None) in origins

    def write_as(hint: Any) -> Callable[[Any], list[Any]]:
        args = getattr(hint, "__args__", None)
        item = args[0] if args else None

        def write(values: Any) -> list[Any]:
            each = converter.unstructure
            return _sorted([each(value, item) if item is not None else each(value) for value in values])

        return write

    converter.register_unstructure_hook_factory(is_such, write_as)


_CONVERTER: Final = _converter()
