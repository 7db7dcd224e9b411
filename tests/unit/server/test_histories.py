from aether.server.histories import Histories


def test_events_are_kept_in_the_order_of_their_seqs() -> None:
    histories = Histories(1_000)
    for seq in range(1, 5):
        histories.append(7, seq, b"event %d" % seq)
    assert histories.events(7, 1, 4) == [b"event 1", b"event 2", b"event 3", b"event 4"]
    assert histories.events(7, 2, 3) == [b"event 2", b"event 3"]


def test_a_run_that_is_not_kept_has_to_be_fetched() -> None:
    histories = Histories(1_000)
    assert histories.events(7, 1, 1) is None
    histories.append(7, 5, b"five")
    assert histories.events(7, 4, 5) is None, "what came before was recorded by an earlier server"
    assert histories.events(7, 5, 5) == [b"five"]


def test_beyond_the_budget_the_run_touched_longest_ago_goes_first() -> None:
    histories = Histories(25)
    histories.append(1, 1, b"x" * 10)
    histories.append(2, 1, b"x" * 10)
    histories.append(1, 2, b"x" * 5)
    histories.append(3, 1, b"x" * 10)
    assert histories.events(2, 1, 1) is None
    assert histories.events(1, 1, 2) is not None
    assert histories.size_bytes == 25


def test_a_single_run_may_be_larger_than_the_budget() -> None:
    histories = Histories(5)
    histories.append(1, 1, b"x" * 10)
    histories.append(1, 2, b"x" * 10)
    assert histories.events(1, 1, 2) == [b"x" * 10] * 2


def test_a_forgotten_run_takes_no_room() -> None:
    histories = Histories(1_000)
    histories.append(1, 1, b"x" * 10)
    histories.forget(1)
    histories.forget(1)
    assert histories.size_bytes == 0
    assert histories.events(1, 1, 1) is None
