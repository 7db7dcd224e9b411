"""Values of users to payloads and back, with and without annotations."""

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import typing
import uuid
import zlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether.errors import InvalidArgument, LimitExceeded
from aether.model.limits import Limits
from aether.model.payload import Payload
from aether.sdk.converters import UNDECLARED, Converter, is_plain

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Size(enum.StrEnum):
    SMALL = "small"


@attrs.frozen
class Point:
    x: int
    seen_at: dt.datetime
    tags: frozenset[str] = frozenset()
    colour: Colour = Colour.RED
    after: "Point | None" = None


@dataclasses.dataclass
class Box:
    points: list[Point]
    raw: bytes = b""
    owner: uuid.UUID | None = None
    sizes: tuple[int, ...] = ()


POINT = Point(1, NOW, frozenset({"b", "a"}), Colour.RED, Point(2, NOW))
CONVERTER = Converter()


def there_and_back(value, hint=UNDECLARED):
    return CONVERTER.decode(CONVERTER.encode(value, "it", hint), "it", hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (POINT, Point),
        (Box([POINT], b"\xff\x00", uuid.UUID(int=5), (1, 2)), Box),
        ({"k": [POINT]}, dict[str, list[Point]]),
        ([Colour.RED], list[Colour]),
        (Level.LOW, Level),
        (Size.SMALL, Size),
        (None, Level | None),
        (NOW, dt.datetime),
        (NOW.date(), dt.date),
        (NOW.time(), dt.time),
        (dt.timedelta(days=3, microseconds=7), dt.timedelta),
        (decimal.Decimal("1.10"), decimal.Decimal),
        (pathlib.Path("a"), pathlib.Path),
        ({3, 1}, set[int]),
        (frozenset({Colour.RED}), frozenset[Colour]),
        ((1, "a", NOW), tuple[int, str, dt.datetime]),
        (None, uuid.UUID | None),
        (uuid.UUID(int=7), typing.Optional[uuid.UUID]),  # noqa: UP045
        (5, int | str | None),
        ("x", typing.Literal["x", "y"]),
        (2.0, float),
        ([1, None], list[int | None]),
        ({"a": 1}, dict[str, typing.Any]),
    ],
)
def test_annotated_values_come_back_as_they_were(value, hint):
    back = there_and_back(value, hint)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        POINT,
        NOW,
        NOW.date(),
        Colour.RED,
        b"\xff",
        decimal.Decimal("0.1"),
        uuid.UUID(int=1),
        {1, 2},
        (1, 2),
        frozenset("a"),
    ],
)
def test_values_without_an_annotation_come_back_by_their_class(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("hint", [UNDECLARED, bytes])
def test_bytes_are_sent_as_they_are(hint):
    raw = b'"\xff" is not JSON'
    payload = CONVERTER.encode(raw, "it", hint)
    assert (payload.data, payload.encoding) == (raw, "bytes")
    assert payload.data is raw
    for read_as in (UNDECLARED, bytes, bytes | None):
        assert CONVERTER.decode(payload, "it", read_as) == raw
    with pytest.raises(InvalidArgument, match="it does not fit int"):
        CONVERTER.decode(payload, "it", int)


def test_bytes_that_were_sent_as_json_are_read():
    assert CONVERTER.decode(Payload(b'"/w=="'), "it", bytes) == b"\xff"
    assert CONVERTER.decode(Payload(b'"/w=="', "json;type=builtins:bytes"), "it") == b"\xff"


TEXT = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(JSON)
def test_what_json_knows_is_plain_json_and_comes_back(value):
    payload = CONVERTER.encode(value, "it")
    assert payload.encoding == ""
    assert CONVERTER.decode(payload, "it") == value


def test_json_is_compact_and_utf8():
    assert CONVERTER.encode({"ä": [1, 2]}, "it") == Payload('{"ä":[1,2]}'.encode())


def test_equal_sets_look_alike():
    assert CONVERTER.encode({"b", "a", "c"}, "it", set[str]).data == b'["a","b","c"]'


def test_a_set_of_classes_and_a_bare_set_are_arrays():
    assert (
        CONVERTER.encode({uuid.UUID(int=1)}, "it", set[uuid.UUID]).data == b'["00000000-0000-0000-0000-000000000001"]'
    )
    assert there_and_back({1}, set) == {1}


def test_an_int_is_a_float_where_one_is_asked_for():
    back = there_and_back(1, float)
    assert (back, type(back)) == (1.0, float)


@pytest.mark.parametrize(
    ("value", "hint", "told"),
    [
        (object(), UNDECLARED, "it can not be encoded: object is nothing that JSON knows"),
        ({"a": object()}, UNDECLARED, "object is nothing that JSON knows"),
        (float("nan"), UNDECLARED, "not JSON compliant"),
        ("\ud800", UNDECLARED, "text that is no Unicode"),
        ({"a": 1}, Point, "it does not fit .*Point"),
    ],
)
def test_what_can_not_be_encoded_is_named(value, hint, told):
    with pytest.raises(InvalidArgument, match=told) as caught:
        CONVERTER.encode(value, "it", hint)
    assert caught.value.field == "it"


def test_a_class_that_can_not_be_found_again_is_refused_at_once():
    @attrs.frozen
    class Local:
        x: int

    with pytest.raises(InvalidArgument, match="can not be found again by its name"):
        CONVERTER.encode(Local(1), "it")
    assert there_and_back(Local(1), Local) == Local(1)


@pytest.mark.parametrize(
    ("data", "hint", "told"),
    [
        (b'{"x":"5"}', Point, r"'5' is no int @ \$\.x; required field 'seen_at' is missing @ \$\.seen_at"),
        (b'"5"', int, "it does not fit int: '5' is no int"),
        (b"true", int, "True is no int"),
        (b'{"points":[{"x":1,"seen_at":5}]}', Box, r"5 is no text of a datetime @ \$\.points\[0\]\.seen_at"),
        (b'"tomorrow"', dt.datetime, "'tomorrow' is no datetime"),
        (b'"!"', bytes, "'!' is no bytes"),
        (b'"' + b"x" * 100 + b'"', decimal.Decimal, "xxx… is no Decimal"),
        (b'"1"', dt.timedelta, "'1' is no number of seconds"),
        (b"[[", list[int], "it is not JSON"),
        (b"[" * 100_000, UNDECLARED, "it is not JSON"),
        (b"{}", int | str, "does not fit"),
    ],
)
def test_what_can_not_be_decoded_is_named_with_every_fault(data, hint, told):
    with pytest.raises(InvalidArgument, match=told):
        CONVERTER.decode(Payload(data), "it", hint)


def test_a_payload_never_makes_a_module_load():
    with pytest.raises(InvalidArgument, match="module antigravity, which is not imported here"):
        CONVERTER.decode(Payload(b"1", "json;type=antigravity:Fly"), "it")
    with pytest.raises(InvalidArgument, match="which is not imported here"):
        CONVERTER.decode(Payload(b"1", "json;type=os:getcwd"), "it")


def test_an_annotation_is_stronger_than_a_name_in_the_payload():
    payload = CONVERTER.encode(POINT, "it")
    assert payload.encoding.endswith(":Point")
    assert CONVERTER.decode(payload, "it", Point) == POINT
    assert CONVERTER.decode(payload, "it", dict[str, typing.Any])["x"] == 1


def test_an_encoding_that_nobody_knows_points_to_the_codec():
    with pytest.raises(InvalidArgument, match=r"encoding 'zip'.*codec"):
        CONVERTER.decode(Payload(b"1", "zip"), "it")
    assert CONVERTER.decode(Payload(b"1", "json"), "it") == 1


class Zip:
    def encode(self, payload: Payload) -> Payload:
        return Payload(zlib.compress(payload.data), "zip/" + payload.encoding)

    def decode(self, payload: Payload) -> Payload:
        if not payload.encoding.startswith("zip/"):
            return payload
        return Payload(zlib.decompress(payload.data), payload.encoding.removeprefix("zip/"))


def test_a_codec_changes_what_is_sent_and_reads_what_it_did_not_make():
    converter = Converter(Zip())
    payload = converter.encode(POINT, "it")
    assert payload.encoding.startswith("zip/json;type=")
    assert converter.decode(payload, "it") == POINT
    assert converter.decode(Payload(b"[1]"), "it") == [1]


def test_the_bound_of_payloads_holds_for_what_is_sent():
    small = Limits(payload_max=10)
    with pytest.raises(LimitExceeded, match="it is 12 bytes; at most 10"):
        Converter(limits=small).encode("x" * 10, "it")
    assert Converter(Zip(), small).encode("", "it")


def test_a_function_that_returns_nothing_by_its_annotation_may_return_anything():
    assert there_and_back(5, type(None)) == 5


@pytest.mark.parametrize(
    ("hint", "plain"),
    [
        (int, True),
        (list[int], True),
        (dict[str, list[str | None]], True),
        (typing.Any, True),
        (typing.Literal["a", 1], True),
        (dict[int, str], False),
        (typing.Literal[Colour.RED], False),
        (Point, False),
        (list[Point], False),
        (tuple[int, ...], False),
        (typing.Annotated[int, []], False),
    ],
)
def test_only_what_json_gives_back_unchanged_is_plain(hint, plain):
    assert is_plain(hint) is plain


def test_what_a_users_class_raises_is_told():
    @attrs.frozen
    class Picky:
        x: int = attrs.field(validator=attrs.validators.gt(5))

    with pytest.raises(InvalidArgument, match=r"it does not fit .*Picky: "):
        CONVERTER.decode(Payload(b'{"x":1}'), "it", Picky)
