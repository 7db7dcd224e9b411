from hypothesis import given
from hypothesis import strategies as st

from aether.core.histograms import LATENCIES_US, SIZES, Exemplar, Histogram, quantile

VALUES = st.lists(st.integers(0, 400_000_000), min_size=1, max_size=200)


def test_a_value_is_counted_in_the_first_bucket_that_takes_it():
    histogram = Histogram((10, 20))
    for value in (0, 10, 11, 20, 21, -5):
        histogram.observe(value)
    assert histogram.counts == [3, 2, 1]
    assert (histogram.count, histogram.total) == (6, 62)


def test_of_each_bucket_the_last_that_was_traced_is_kept():
    histogram = Histogram((10, 20))
    assert histogram.exemplars is None
    for at, value in enumerate((-1, 3, 10, 11, 99)):
        histogram.trace(value, f"trace-{at}", at)
    assert histogram.exemplars == {
        0: Exemplar(10, "trace-2", 2),
        1: Exemplar(11, "trace-3", 3),
        2: Exemplar(99, "trace-4", 4),
    }
    histogram.trace(-5, "trace-5", 5)
    assert histogram.exemplars is not None
    assert histogram.exemplars[0] == Exemplar(0, "trace-5", 5)


@given(VALUES, st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_value_that_it_estimates(values, share):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    ordered = sorted(values)
    exact = ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
    found = quantile(histogram.bounds, histogram.counts, share)
    above = next((bound for bound in LATENCIES_US if bound >= exact), LATENCIES_US[-1])
    below = max((bound for bound in LATENCIES_US if bound < exact), default=0)
    assert min(below, LATENCIES_US[-1]) <= found <= above


@given(VALUES)
def test_quantiles_grow_with_their_share(values):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    found = [quantile(histogram.bounds, histogram.counts, share) for share in (0.1, 0.5, 0.9, 0.99, 1.0)]
    assert found == sorted(found)


def test_nothing_has_the_quantile_0_and_what_is_beyond_all_bounds_the_last_of_them():
    assert quantile((10, 20), (0, 0, 0), 0.5) == 0
    assert quantile((10, 20), (0, 0, 3), 0.5) == 20
    assert quantile((10, 20), (0, 4, 0), 0.5) == 15


def test_whole_things_have_whole_quantiles():
    sizes = Histogram(SIZES)
    for size in (1, 1, 1, 2):
        sizes.observe(size)
    assert [quantile(sizes.bounds, sizes.counts, share) for share in (0.01, 0.5, 0.75, 0.99)] == [1, 1, 1, 2]
