"""Python values to payloads and back.

JSON is the form. What JSON knows goes straight through its C encoder; attrs classes, dataclasses, enums, datetimes,
UUIDs, decimals, bytes, sets and tuples go through cattrs by the annotation that the user's function has. A value
without an annotation (the result of a lambda step) may still be an instance of such a class: then the payload's
encoding names the class, `json;type=module:Name`, and the data are the same JSON. It is looked up among the modules
that are imported already; a payload never makes a module load. A value that is bytes and nothing else is its own
payload: base64 would cost it a third more room, and several times the time.
"""

import json
import sys
import types
from functools import lru_cache
from typing import Any, Final, Literal, Protocol, Union, get_args, get_origin

from aether.errors import InvalidArgument, LimitExceeded
from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.model.payload import RAW, Payload

_JSON: Final = ("", "json")
TAGGED: Final = "json;type="
_SCALARS: Final = (str, int, float, bool, type(None))
_PLAIN_TYPES: Final = frozenset((*_SCALARS, list, dict))
_PLACES_MAX: Final = 10


class _Undeclared:
    """Stands for the annotation that is not there."""

    def __repr__(self) -> str:
        return "no annotation"


UNDECLARED: Final = _Undeclared()
# A function annotated to return None may return something all the same; nobody may look at it.
_ANYTHING: Final = (UNDECLARED, Any, object, None, type(None))


class Codec(Protocol):
    """Changes payloads on their way out and back, to encrypt or compress them.

    `encode` sets an `encoding` of its own, by which `decode` knows what it made; anything else it returns as it is.
    """

    def encode(self, payload: Payload) -> Payload: ...

    def decode(self, payload: Payload) -> Payload: ...


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__qualname__} is nothing that JSON knows")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_refuse)
_encode_json = _ENCODER.encode
_decode_json = json.loads


def to_json(value: object, place: str, hint: object = UNDECLARED) -> str:
    """`value` as compact JSON. `place` is what an error names: "result of step 'x'"."""
    try:
        if not is_plain(hint):
            from aether.sdk.structure import unstructure

            value = unstructure(value, hint)
        return _encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{place} can not be encoded: {_reason(error)}", field=place) from error
    except Exception as error:  # cattrs, and the user's own hooks and properties, raise what they like
        raise InvalidArgument(f"{place} does not fit {hint!r}: {_reason(error)}", field=place) from error


def from_plain(value: object, place: str, hint: object = UNDECLARED) -> Any:
    """What JSON knows to what the annotation asks for."""
    if hint in _ANYTHING:
        return value
    if isinstance(hint, type) and type(value) is hint and hint in _SCALARS:
        return value
    from aether.sdk.structure import faults, structure

    try:
        return structure(value, hint)
    except Exception as error:  # cattrs, and the user's own hooks and constructors, raise what they like
        told = "; ".join(faults(error)[:_PLACES_MAX])
        raise InvalidArgument(f"{place} does not fit {_name_of(hint)}: {told}", field=place) from error


class Converter:
    """What a client and its worker use: limits and codec applied, places named."""

    def __init__(self, codec: Codec | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._codec = codec
        self._limits = limits

    def encode(self, value: object, place: str, hint: object = UNDECLARED) -> Payload:
        """The payload that is sent.

        Raises `InvalidArgument` for a value that annotation or JSON has no form for, `LimitExceeded` for a large one.
        """
        return self.seal(self.encode_plain(value, place, hint), place)

    def encode_plain(self, value: object, place: str, hint: object = UNDECLARED) -> Payload:
        """Without the codec: for a value that will be decoded here as well."""
        if type(value) is bytes and (hint is UNDECLARED or hint is bytes):
            return Payload(value, RAW)
        if hint is UNDECLARED and type(value) not in _PLAIN_TYPES:
            return self._encode_tagged(value, place)
        return Payload(to_bytes(to_json(value, place, hint), place))

    def seal(self, payload: Payload, place: str) -> Payload:
        """Apply the codec, and the bound that the server has too."""
        if self._codec is not None:
            payload = self._codec.encode(payload)
        if len(payload.data) > self._limits.payload_max:
            raise LimitExceeded(
                f"{place} is {len(payload.data):,} bytes; at most {self._limits.payload_max:,}: "
                "store it elsewhere and pass a reference"
            )
        return payload

    def decode(self, payload: Payload, place: str, hint: object = UNDECLARED) -> Any:
        """The value. Raises `InvalidArgument` if the payload is none that this client can read."""
        if self._codec is not None:
            payload = self._codec.decode(payload)
        return self.decode_plain(payload, place, hint)

    def decode_plain(self, payload: Payload, place: str, hint: object = UNDECLARED) -> Any:
        if payload.encoding in _JSON:
            return from_plain(self._parse(payload, place), place, hint)
        if payload.encoding.startswith(TAGGED):
            if hint is UNDECLARED:
                hint = _class_of(payload.encoding, place)
            return from_plain(self._parse(payload, place), place, hint)
        if payload.encoding == RAW:
            return payload.data if hint is bytes else from_plain(payload.data, place, hint)
        raise InvalidArgument(
            f"{place} has encoding {payload.encoding!r}, which nobody here can read; does the client have its codec?",
            field=place,
        )

    def _encode_tagged(self, value: object, place: str) -> Payload:
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if _find_class(kind.__module__, kind.__qualname__) is not kind:
            raise InvalidArgument(
                f"{place} is a {kind.__qualname__}, which can not be found again by its name; annotate what the "
                "function returns, or define the class at the top of a module",
                field=place,
            )
        return Payload(to_bytes(to_json(value, place, kind), place), TAGGED + name)

    def _parse(self, payload: Payload, place: str) -> object:
        try:
            return _decode_json(payload.data)
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(f"{place} is not JSON: {error}", field=place) from error


def to_bytes(text: str, place: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{place} has text that is no Unicode: {error.reason}", field=place) from error


def _class_of(encoding: str, place: str) -> type:
    module, _, name = encoding.removeprefix(TAGGED).partition(":")
    found = _find_class(module, name)
    if found is None:
        raise InvalidArgument(
            f"{place} is a {name} of module {module}, which is not imported here; "
            "import it where the workflow is defined",
            field=place,
        )
    return found


def _find_class(module: str, name: str) -> type | None:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def is_scalar(value: object, hint: object) -> bool:
    """It comes back from its JSON as it is."""
    kind = type(value)
    return kind in _SCALARS and (hint is kind or hint is UNDECLARED)


def is_plain(hint: object) -> bool:
    """Values of this annotation need nothing but JSON."""
    try:
        return hint in _ANYTHING or _is_plain(hint)
    except TypeError:  # an annotation that is not hashable
        return False


@lru_cache(maxsize=4096)
def _is_plain(hint: Any) -> bool:
    if isinstance(hint, type) and not get_args(hint):
        return hint in _PLAIN_TYPES
    origin, args = get_origin(hint), get_args(hint)
    if origin is list:
        return is_plain(args[0])
    if origin is dict:
        return args[0] is str and is_plain(args[1])
    if origin in (Union, types.UnionType):
        return all(map(is_plain, args))
    return origin is Literal and all(isinstance(arg, _SCALARS) and type(arg) in _PLAIN_TYPES for arg in args)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _name_of(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)
