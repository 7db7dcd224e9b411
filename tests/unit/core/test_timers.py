import pytest

from aether.core.timers import TimerWheel

MS = 1_000
ALL = 1_000_000


def wheel(now: int = 0, **deadlines: int) -> TimerWheel[str]:
    made: TimerWheel[str] = TimerWheel(now)
    for key, due in deadlines.items():
        made.arm(key, due)
    return made


def test_nothing_is_due_while_nothing_is_armed():
    made = wheel()
    assert made.next_due() is None
    assert made.advance(10**15, ALL) == []
    assert len(made) == 0


def test_a_timer_is_never_early_and_at_most_a_millisecond_late():
    made = wheel(a=5 * MS + 1)
    assert made.advance(5 * MS + 999, ALL) == []
    assert made.next_due() == 6 * MS
    assert made.advance(6 * MS, ALL) == ["a"]
    assert made.next_due() is None


def test_timers_fire_in_the_order_of_their_deadlines_not_of_their_arming():
    made = wheel(late=900 * MS, early=2 * MS, year=31_536_000_000 * MS)
    assert made.advance(40_000_000_000 * MS, ALL) == ["early", "late", "year"]


def test_what_is_armed_in_the_past_is_due_at_once_the_longest_overdue_first():
    made = wheel(1_000 * MS, b=500 * MS, a=400 * MS, c=1_000 * MS)
    assert made.next_due() == 400 * MS
    assert made.advance(0, ALL) == ["a", "b", "c"]


def test_arming_again_moves_a_deadline():
    made = wheel(a=10 * MS, b=70_000 * MS)
    made.arm("a", 90_000 * MS)
    made.arm("b", 1 * MS)
    assert len(made) == 2
    assert dict(made.deadlines()) == {"a": 90_000 * MS, "b": 1 * MS}
    assert made.advance(80_000 * MS, ALL) == ["b"]
    assert made.advance(90_000 * MS, ALL) == ["a"]


def test_what_is_cancelled_does_not_fire_wherever_it_waited():
    made = wheel(near=3 * MS, near2=3 * MS, far=70_000 * MS, overdue=0, overdue2=0)
    assert made.cancel("near")
    assert made.cancel("far")
    assert made.cancel("overdue")
    assert not made.cancel("far")
    assert dict(made.deadlines()) == {"near2": 3 * MS, "overdue2": 0}
    assert made.advance(10**12, ALL) == ["overdue2", "near2"]


def test_an_overdue_timer_that_is_moved_keeps_one_deadline_only():
    made = wheel(a=0, b=0)
    made.arm("a", 5 * MS)
    assert made.advance(0, ALL) == ["b"]
    assert made.advance(5 * MS, ALL) == ["a"]


def test_a_wheel_turned_in_small_steps_agrees_with_one_turned_at_once():
    deadlines = {f"t{number}": (number * 7919 % 100_000) * MS for number in range(200)}
    slow, quick = wheel(**deadlines), wheel(**deadlines)
    fired = [key for now in range(0, 100_001 * MS, 333 * MS) for key in slow.advance(now, ALL)]
    fired += slow.advance(100_001 * MS, ALL)
    assert fired == quick.advance(100_001 * MS, ALL) == sorted(deadlines, key=deadlines.__getitem__)


def test_many_that_are_due_together_are_handed_out_in_portions_and_none_is_lost():
    made = wheel(**{f"t{number:03}": (1_000 + number % 10) * MS for number in range(100)})
    fired = []
    for _ in range(15):
        portion = made.advance(5_000 * MS, 7)
        assert len(portion) <= 7
        fired += portion
        assert len(fired) == 100 or made.next_due() <= 5_000 * MS  # type: ignore[operator]
        assert len(made) == 100 - len(fired)
    assert sorted(fired) == sorted(f"t{number:03}" for number in range(100))
    assert fired == sorted(fired, key=lambda key: (int(key[1:]) % 10, fired.index(key)))


def test_what_is_armed_between_two_portions_is_due_in_its_turn():
    made = wheel(a=1 * MS, b=2 * MS, d=400 * MS)
    assert made.advance(500 * MS, 1) == ["a"]
    made.arm("c", 3 * MS)
    made.arm("far", 900 * MS)
    assert made.advance(500 * MS, ALL) == ["b", "c", "d"]
    assert made.next_due() is not None
    assert made.advance(900 * MS, ALL) == ["far"]


def test_the_last_moment_that_64_bits_hold_is_a_deadline_like_any_other():
    made = wheel(1_700_000_000_000_000, a=2**63 - 1)
    assert made.advance(2**62, ALL) == []
    assert made.advance(2**63 + MS, ALL) == ["a"]


def test_a_slot_with_very_many_is_opened_bit_by_bit_and_they_can_be_moved_meanwhile():
    made = wheel(**{f"t{number:03}": (70_000 + number % 7) * MS for number in range(100)})
    assert made.advance(69_999 * MS, 2) == []
    assert made.next_due() == 65_536 * MS  # what is left of it is still to be filed anew
    assert len(dict(made.deadlines())) == 100
    for number in range(0, 100, 2):
        assert made.cancel(f"t{number:03}")
    for number in range(1, 100, 4):
        made.arm(f"t{number:03}", 90_000 * MS)
    assert len(made) == 50
    fired = [key for _ in range(100) for key in made.advance(80_000 * MS, 2)]
    assert sorted(fired) == [f"t{number:03}" for number in range(3, 100, 4)]
    assert fired == sorted(fired, key=lambda key: int(key[1:]) % 7)
    assert len(made.advance(90_000 * MS, ALL)) == 25


def test_a_deadline_can_be_asked_for():
    made = wheel(1_000 * MS, soon=1_001 * MS - 1, year=31_536_000_000 * MS, past=1)
    assert [made.due_at(key) for key in ("soon", "year")] == [1_001 * MS, 31_536_000_000 * MS]
    assert made.due_at("past") == 1_000 * MS
    assert made.due_at("nobody") is None


def test_a_deadline_in_a_slot_that_is_being_opened_can_be_asked_for():
    made = wheel(0, **{f"k{number}": 300 * MS + number for number in range(100)})
    made.advance(300 * MS, 1)
    assert {made.due_at(f"k{number}") for number in range(100)} <= {300 * MS, 301 * MS, None}
    assert sum(made.due_at(f"k{number}") is not None for number in range(100)) == len(made)


class CountingWheel(TimerWheel[int]):
    """Counts how often a timer is filed, and looked for the next one: what work there is."""

    operations = 0

    def _file(self, key: int, due_ms: int) -> None:
        self.operations += 1
        super()._file(key, due_ms)

    def _next_opening(self) -> tuple[int, int, int] | None:
        self.operations += 1
        return super()._next_opening()


@pytest.mark.parametrize("hour", [0, 1, 100, 8_760])
def test_the_work_for_a_timer_does_not_grow_with_how_many_sleep(hour):
    spent = []
    for sleepers in (1_000, 30_000):
        made = CountingWheel(0)
        for number in range(sleepers):
            made.arm(number, (hour + 1) * 3_600_000 * MS + number * 1_000 * MS)
        made.advance(hour * 3_600_000 * MS, ALL)
        made.operations = 0
        for number in range(100):
            made.arm(-1 - number, hour * 3_600_000 * MS + number * 10 * MS)
        fired: list[int] = []
        while len(fired) < 100:
            fired += made.advance(max(made.next_due() or 0, hour * 3_600_000 * MS), 1_000)
        assert fired == [-1 - number for number in range(100)]
        spent.append(made.operations)
    assert spent[0] == spent[1], "operations beside a thousand sleepers, and beside thirty thousand"
    assert spent[0] <= 100 * 12
