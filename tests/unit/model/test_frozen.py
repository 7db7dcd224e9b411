"""Classes made with `frozen` behave like those that attrs makes."""

import pickle

import attrs
import pytest

from aether.model.frozen import frozen
from aether.model.payload import Payload


def pair(make):
    class Point:
        x: int
        names: tuple[str, ...] = ()

    class Nothing:
        pass

    class One:
        value: object

    return [make(kind) for kind in (Point, Nothing, One)]


OURS, THEIRS = pair(frozen), pair(attrs.frozen)


@pytest.mark.parametrize("kinds", [OURS, THEIRS], ids=["ours", "of attrs"])
def test_it_compares_hashes_and_shows_by_its_fields(kinds):
    point, nothing, one = kinds
    assert point(1) == point(1, ())
    assert point(1) != point(2)
    assert point(1) != (1, ())
    assert nothing() == nothing()
    assert nothing() != one(())
    assert one((1, 2)) == one((1, 2))
    assert len({point(1), point(1), point(2), nothing(), nothing(), one(1), one(1)}) == 4
    assert repr(point(1, ("a",))) == "Point(x=1, names=('a',))"
    assert repr(nothing()) == "Nothing()"
    with pytest.raises(TypeError, match="unhashable"):
        hash(one([]))


@pytest.mark.parametrize("kinds", [OURS, THEIRS], ids=["ours", "of attrs"])
def test_it_can_not_be_changed_and_has_no_room_for_more(kinds):
    point = kinds[0](1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 2
    assert not hasattr(point, "__dict__")
    assert attrs.evolve(point, x=3).x == 3
    assert [field.name for field in attrs.fields(type(point))] == ["x", "names"]


def test_it_can_be_taken_apart_by_pattern_and_copied():
    match Payload(b"x", "aes"):
        case Payload(data, encoding):
            assert (data, encoding) == (b"x", "aes")
    assert pickle.loads(pickle.dumps(Payload(b"x"))) == Payload(b"x")
