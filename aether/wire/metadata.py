"""Metadata and the small text formats of gRPC: binary values, escaped messages, timeouts."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aether.wire.headers import Field, literal

MetadataItem = tuple[str, str | bytes]

_KEY: Final = re.compile(r"[0-9a-z_.\-]+")
_TEXT: Final = re.compile(rb"[\x20-\x7e]*")
_RESERVED: Final = frozenset({"te", "content-type", "user-agent", "host", "connection", "content-length"})
_UNSAFE: Final = re.compile(rb"[^\x20-\x24\x26-\x7e]")
_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})")
_CUT: Final = re.compile(rb"(?:%[C-F][0-9A-F](?:%[89AB][0-9A-F])*)?(?:%[0-9A-F]?)?\Z")
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_MAX: Final = 99_999_999


class Metadata:
    """What the peer sent beside its messages: an immutable list of keys and values in the order received.

    Values are `bytes` for keys that end in "-bin" and `str` otherwise. Decoded on first use: most calls never
    look.
    """

    __slots__ = ("_fields", "_items")

    def __init__(self, fields: Sequence[Field] = ()) -> None:
        self._fields = fields
        self._items: tuple[MetadataItem, ...] | None = None

    def _all(self) -> tuple[MetadataItem, ...]:
        if self._items is None:
            self._items = tuple(_decode(self._fields))
        return self._items

    def __iter__(self) -> Iterator[MetadataItem]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def get(self, key: str) -> str | bytes | None:
        """The last value of `key`, as in grpc's own maps, or None."""
        values = self.get_all(key)
        return values[-1] if values else None

    def get_all(self, key: str) -> list[str | bytes]:
        return [value for name, value in self._all() if name == key]

    def __repr__(self) -> str:
        # Keys only: values are where people put their tokens.
        return f"Metadata({[key for key, _ in self._all()]})"


def _decode(fields: Sequence[Field]) -> Iterator[MetadataItem]:
    for name, value in fields:
        key = name.decode("ascii")
        if not key.endswith("-bin"):
            yield key, value.decode("ascii")
            continue
        for part in value.split(b","):
            yield key, from_base64(part)


def is_text(value: bytes) -> bool:
    """True for what an ASCII metadata value may hold."""
    return _TEXT.fullmatch(value) is not None


def from_base64(value: bytes) -> bytes:
    """Base64 with or without padding. Raises ValueError."""
    value = value.strip().rstrip(b"=")
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def to_base64(value: bytes) -> bytes:
    """Base64 without padding, as the specification asks of senders."""
    return base64.b64encode(value).rstrip(b"=")


def encode_metadata(items: Iterable[MetadataItem]) -> bytes:
    """The literals for a caller's own items. Raises ValueError, naming the key, for what cannot be sent."""
    return b"".join(_encode_item(key, value) for key, value in items)


def _encode_item(key: str, value: str | bytes) -> bytes:
    if _KEY.fullmatch(key) is None or key in _RESERVED or key.startswith("grpc-"):
        raise ValueError(f"metadata key {key!r} is not allowed: lower-case letters, digits, '_', '-', '.'; no grpc-*")
    if isinstance(value, bytes):
        if not key.endswith("-bin"):
            raise ValueError(f"metadata {key!r} has bytes as its value, so the key must end in '-bin'")
        return literal(key.encode(), to_base64(value))
    if key.endswith("-bin"):
        raise ValueError(f"metadata {key!r} ends in '-bin', so its value must be bytes")
    try:
        raw = value.encode("ascii")
    except UnicodeEncodeError:
        raw = b"\n"
    if not is_text(raw) or raw != raw.strip():
        raise ValueError(f"metadata {key!r} must be printable ASCII without outer spaces; else use a '-bin' key")
    return literal(key.encode(), raw)


def percent_encode(text: str, max_bytes: int) -> bytes:
    """grpc-message: UTF-8 with everything but printable ASCII escaped, and '%' too; cut to `max_bytes`."""
    raw = text.encode("utf-8", "replace")
    if _UNSAFE.search(raw) is not None:
        raw = _UNSAFE.sub(lambda found: b"%%%02X" % found.group()[0], raw)
    if len(raw) <= max_bytes:
        return raw
    # What is left of the last character goes as well, if it was more than one octet.
    return _CUT.sub(b"", raw[:max_bytes])


def percent_decode(raw: bytes) -> str:
    """The inverse; never fails, as the specification demands of readers."""
    return _ESCAPE.sub(lambda found: bytes((int(found.group(1), 16),)), raw).decode("utf-8", "replace")


def parse_timeout(raw: bytes) -> float:
    """grpc-timeout in seconds. Raises ValueError."""
    found = _TIMEOUT.fullmatch(raw)
    if found is None:
        raise ValueError("malformed grpc-timeout")
    return int(found.group(1)) * _UNIT_S[found.group(2)]


def format_timeout(timeout_s: float) -> bytes:
    """The finest unit whose eight digits suffice, rounded up; the least there is when it has passed."""
    if timeout_s <= 0:
        return b"1n"
    for unit, size in ((b"u", 1e-6), (b"m", 1e-3), (b"S", 1.0), (b"M", 60.0)):
        count = math.ceil(timeout_s / size - 1e-6)
        if count <= _TIMEOUT_MAX:
            return b"%d%b" % (max(count, 1), unit)
    return b"%dH" % min(math.ceil(timeout_s / 3600.0), _TIMEOUT_MAX)
