"""What a declared limit means for one call."""

import pytest

import aether
from aether.model.policy import ConcurrencyLimit


@pytest.fixture
def client():
    return aether.Client(db="memory")


def test_a_limit_without_a_key_is_one_for_all_calls(client):
    @client.activity("a", concurrency=aether.Concurrency(3))
    def act(order: str) -> None: ...

    assert act.limit(("o",), {}) == ConcurrencyLimit("activity a", 3)
    assert act.options(task_queue="q").limit((), {}) == ConcurrencyLimit("activity a", 3)
    assert act.options(concurrency=aether.Concurrency(1, name="bank")).limit((), {}) == ConcurrencyLimit("bank", 1)


def test_a_key_is_made_of_the_arguments(client):
    @client.workflow("w", concurrency=aether.Concurrency(1, key=lambda customer, number=7: customer))
    async def work(ctx: aether.Context, customer: str, number: int = 7) -> None: ...

    assert work.limit(("ann",), {}) == ConcurrencyLimit("workflow w/ann", 1)
    assert work.prepare("bob", 3).limit == ConcurrencyLimit("workflow w/bob", 1)
    shared = work.options(concurrency=aether.Concurrency(2, key=lambda customer, number: number, name="n"))
    assert shared.limit((), {"customer": "ann", "number": 4}) == ConcurrencyLimit("n/4", 2)


def test_without_a_limit_nothing_has_to_wait(client):
    @client.activity("a")
    def act() -> None: ...

    @client.workflow("w")
    async def work(ctx: aether.Context) -> None: ...

    assert act.limit((), {}) is None
    assert work.prepare().limit is None


@pytest.mark.parametrize("limit", [0, -1, 1.5, 2**32])
def test_a_limit_is_a_number_of_places(limit):
    with pytest.raises(aether.InvalidArgument, match="the limit of a Concurrency must be"):
        aether.Concurrency(limit)


@pytest.mark.parametrize(
    ("key", "message"), [(None, "text or a number, not None"), ("x" * 300, "at most 200"), ("\n", "can be printed")]
)
def test_a_key_is_a_short_text_or_a_number(client, key, message):
    @client.activity("a", concurrency=aether.Concurrency(1, key=lambda: key))
    def act() -> None: ...

    with pytest.raises(aether.InvalidArgument, match=message):
        act.limit((), {})
