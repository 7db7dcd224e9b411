"""Arguments: bound by signature, sent as a plain JSON array, refused before anything is sent."""

from datetime import UTC, datetime

import attrs
import pytest

from aether.errors import InvalidArgument
from aether.model.payload import Payload
from aether.sdk.arguments import Arguments
from aether.sdk.converters import UNDECLARED, Converter

CONVERTER = Converter()
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@attrs.frozen
class Item:
    name: str
    at: datetime


def arguments(function, skipped=0):
    return Arguments(function, "workflow 'w'", skipped)


def encode(function, *args, **kwargs):
    return arguments(function).encode(CONVERTER, args, kwargs).data


def order(order_id: str, item: Item, count: int = 1, *notes: str) -> list[Item]:
    return [item] * count


def test_arguments_are_a_plain_array_in_the_order_written():
    item = '{"name":"a","at":"2026-01-02T00:00:00+00:00"}'
    assert encode(order, "o", Item("a", NOW)).decode() == f'["o",{item}]'
    assert encode(order, item=Item("a", NOW), order_id="o").decode() == f'["o",{item}]'
    assert encode(order, "o", Item("a", NOW), 2, "x", "y").decode() == f'["o",{item},2,"x","y"]'
    assert encode(lambda: 1) == b"[]"


def test_a_default_between_given_arguments_is_sent():
    def late(first: int = 1, second: int = 2, third: int = 3) -> None: ...

    assert encode(late, third=5) == b"[1,2,5]"
    assert encode(late) == b"[]"


def test_arguments_come_back_by_their_annotations():
    payload = Payload(b'["o",{"name":"a","at":"2026-01-02T00:00:00+00:00"},2,"x"]')
    assert arguments(order).decode(CONVERTER, payload) == ["o", Item("a", NOW), 2, "x"]


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        (("o",), {}, "missing a required argument: 'item'"),
        (("o", Item("a", NOW)), {"colour": 1}, "unexpected keyword argument 'colour'"),
        ((5, Item("a", NOW)), {}, 'does not fit str: 5 is no str; as JSON a text is "5"'),
        (("o", {"name": "a"}), {}, "argument 'item' of workflow 'w' does not fit"),
        (("o", Item("a", NOW), 1, 7), {}, "argument 'notes' of workflow 'w' does not fit str"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(args, kwargs, told):
    with pytest.raises(InvalidArgument, match=told):
        arguments(order).encode(CONVERTER, args, kwargs)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"order_id":"o"}', "no JSON array of arguments"),
        (b"[]", "missing a required argument: 'order_id'"),
        (b'["o",5]', "argument 'item' of workflow 'w' does not fit Item"),
    ],
)
def test_wrong_input_from_elsewhere_is_refused(data, told):
    with pytest.raises(InvalidArgument, match=told):
        arguments(order).decode(CONVERTER, Payload(data))


def test_parameters_that_can_only_be_named_have_no_place_in_an_array():
    def named(a: int, *, b: int) -> None: ...
    def many(**kwargs: int) -> None: ...

    for function, name in ((named, "b: int"), (many, r"\*\*kwargs: int")):
        with pytest.raises(InvalidArgument, match=f"parameter '{name}' can only be given by name"):
            arguments(function)


def test_the_context_is_not_an_argument():
    def workflow(ctx: object, number: int) -> int:
        return number

    def nothing() -> None: ...

    bound = arguments(workflow, skipped=1)
    assert bound.encode(CONVERTER, [5], {}).data == b"[5]"
    assert bound.returned is int
    with pytest.raises(InvalidArgument, match="first parameter must be the context"):
        arguments(nothing, skipped=1)


def test_annotations_may_name_what_is_defined_further_down():
    def early(item: "Later") -> "list[Later]": ...  # type: ignore[empty-body]

    assert arguments(early).hints == {"item": Later, "return": list[Later]}

    def mixed(item: "Nowhere", number: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert arguments(mixed).hints == {"number": int, "return": None}
    assert arguments(mixed).returned is None
    assert arguments(lambda: 1).returned is UNDECLARED


class Later:
    pass


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(InvalidArgument, match="no Unicode"):
        encode(lambda text: text, "\ud800")
