"""What a program may return, and that every program that is drawn can be judged by any result."""

import pytest

from aether.testing.workload import author_of, fits, may_fail

STEP, FAIL, SIGNAL = ["step", "s1", 0, False, 0], ["fail"], ["signal", "m1", 3]


@pytest.mark.parametrize(
    ("program", "result", "is_so"),
    [
        ([STEP], ["s1"], True),
        ([STEP], ["s2"], False),
        ([STEP], [], False),
        ([FAIL], ["s1"], False),
        ([["race", [[FAIL], [STEP]]]], [["s1"]], True),
        ([["race", [[FAIL]]]], [["s1"]], False),
        ([["child", [STEP]]], [["s1"]], True),
        ([["child", [STEP]]], ["cancelled"], True),
        ([["parallel", [[STEP], [STEP]], 0]], [[["s1"], ["s1"]]], True),
        ([["within", 3, [STEP]]], ["late"], True),
        ([SIGNAL], [[0, 1, 2]], True),
        ([SIGNAL], [[1, 2, 0]], False),
    ],
)
def test_a_result_fits_its_program_or_not(program, result, is_so):
    assert fits(program, result) == is_so


@pytest.mark.parametrize(
    ("result", "is_so"), [([1, 2, 0], True), ([0, 1], False), (None, False), (["a", None, 0], False)]
)
def test_what_was_forgotten_and_sent_anew_may_come_in_any_order(result, is_so):
    assert fits([SIGNAL], [result], in_order=False) == is_so


@pytest.mark.parametrize("seed", range(50))
def test_every_program_can_be_judged_by_the_results_of_another(seed):
    program = author_of(seed).program()
    answers: list[object] = [None, "late", [], 3]
    results: list[object] = [None, *([answer] * len(program) for answer in answers)]
    for result in results:
        for in_order in (True, False):
            fits(program, result, in_order=in_order)


def test_a_program_may_fail_if_something_in_it_does():
    assert may_fail([["parallel", [[STEP], [["within", 3, [FAIL]]]], 0]])
    assert not may_fail([STEP, ["race", [[STEP], [SIGNAL]]]])
