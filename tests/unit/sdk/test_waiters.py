"""Branches and calls: their paths, and how they are told."""

import pytest

from aether.sdk.waiters import Branch, Waiter, describe


def test_a_branch_numbers_its_calls_within_itself():
    root, inner = Branch(""), Branch("3.1.", count=4)
    assert (root.next_path(), inner.next_path()) == ("1", "3.1.5")


def test_a_call_is_told_by_its_kind_and_its_name_if_it_has_one():
    assert str(Waiter("1", "step", "pack", Branch(""), None)) == "step 'pack'"
    assert describe("timer", "") == "timer"


@pytest.mark.parametrize(
    ("kind", "is_detached", "expected"),
    [("step", False, True), ("value", False, True), ("timer", False, False), ("child", False, False),
     ("child", True, True), ("promise", True, True)],
)  # fmt: skip
def test_some_calls_go_on_as_soon_as_they_are_recorded(kind, is_detached, expected):
    waiter = Waiter("1", kind, "x", Branch(""), None, is_detached=is_detached)
    assert waiter.goes_on_when_recorded is expected
