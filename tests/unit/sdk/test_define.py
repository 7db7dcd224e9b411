"""Definitions: what is accepted, what is refused at once, and what options change."""

from functools import partial

import pytest

import aether
from aether.errors import InvalidArgument
from aether.sdk.define import AsyncActivity, SyncActivity, is_coroutine_function


@pytest.fixture
def client():
    return aether.Client(db="memory")


def test_an_activity_is_still_the_function_it_was(client):
    @client.activity("double")
    def double(number: int) -> int:
        return number * 2

    @client.activity("double-async")
    async def double_async(number: int) -> int:
        return number * 2

    assert double(4) == 8
    coroutine = double_async(4)
    with pytest.raises(StopIteration, match="8"):
        coroutine.send(None)
    assert isinstance(double, SyncActivity)
    assert isinstance(double_async, AsyncActivity)
    assert (repr(double), double_async.is_async) == ("<activity 'double'>", True)


def test_a_plain_function_is_no_workflow(client):
    with pytest.raises(InvalidArgument, match=r"workflow 'w': .*plain is a plain function; .*async def"):

        @client.workflow("w")
        def plain(ctx: aether.Context) -> int:
            return 1


def test_a_name_is_given_once(client):
    @client.workflow("w")
    async def first(ctx: aether.Context) -> None: ...

    @client.activity("a")
    def act() -> None: ...

    with pytest.raises(InvalidArgument, match=r"workflow 'w' is defined already, by .*first"):
        client.workflow("w")(first.function)
    with pytest.raises(InvalidArgument, match=r"activity 'a' is defined already, by .*act"):
        client.activity("a")(act.function)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\x1b[31m", 5])
def test_names_are_readable_text_of_a_bounded_length(client, name):
    with pytest.raises(InvalidArgument, match="name"):
        client.activity(name)

    async def function(ctx: aether.Context) -> None: ...

    with pytest.raises(InvalidArgument, match="name"):
        client.workflow(name)(function)


def test_options_make_a_changed_copy(client):
    @client.workflow("w")
    async def workflow(ctx: aether.Context) -> None: ...

    @client.activity("a", start_to_close_s=5, heartbeat_s=1, task_queue="q")
    def act() -> None: ...

    @client.activity("b")
    async def act_async() -> None: ...

    other = workflow.options(workflow_id="id", task_queue="gpu")
    assert (other.workflow_id, other.task_queue, other.name) == ("id", "gpu", "w")
    assert other.options().workflow_id == "id"
    assert (workflow.workflow_id, repr(workflow)) == ("", "<workflow 'w'>")
    policy, bounds = aether.RetryPolicy(max_attempts=1), aether.ActivityTimeouts(heartbeat_s=2)
    changed = act.options(task_queue="gpu", retry=policy, timeouts=bounds)
    assert (changed.task_queue, changed.retry, changed.timeouts) == ("gpu", policy, bounds)
    same = act_async.options()
    assert (same.task_queue, same.retry, same.timeouts) == ("", act_async.retry, act_async.timeouts)
    assert act.timeouts == aether.ActivityTimeouts(0, 5, 0, 1)
    with pytest.raises(InvalidArgument, match="workflow id"):
        workflow.options(workflow_id="")


def test_only_what_is_defined_on_the_client_is_served(client):
    @client.workflow("w")
    async def mine(ctx: aether.Context) -> None: ...

    @client.workflow("v")
    async def mine_too(ctx: aether.Context) -> None: ...

    @aether.Client(db="memory").workflow("w")
    async def not_mine(ctx: aether.Context) -> None: ...

    definitions = client._definitions
    assert set(definitions.served([mine.options(workflow_id="x")])) == {"w"}
    assert set(definitions.served([])) == {"w", "v"}
    with pytest.raises(InvalidArgument, match="not defined on this client"):
        definitions.served([not_mine])


def test_coroutine_functions_are_seen_through_partials_and_objects():
    async def function() -> None: ...

    class Callable:
        async def __call__(self) -> None: ...

        async def method(self) -> None: ...

    assert is_coroutine_function(partial(partial(function)))
    assert is_coroutine_function(Callable())
    assert is_coroutine_function(Callable().method)
    assert not is_coroutine_function(print)
    assert not is_coroutine_function(lambda: function)
    assert not is_coroutine_function(Callable)


def test_a_workflow_can_be_called_as_a_part_of_another(client):
    @client.workflow("w")
    async def part(ctx: aether.Context, number: int) -> int:
        return number + 1

    with pytest.raises(StopIteration, match="6"):
        part(None, 5).send(None)


def test_labels_are_wanted_by_runs_and_activities_and_kept_in_order():
    client = aether.Client(db="memory")

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None: ...

    @client.activity("a", labels={"gpu": "a100", "disk": "big"})
    def a() -> None: ...

    assert a.labels == (("disk", "big"), ("gpu", "a100"))
    assert a.options(task_queue="q").labels == a.labels
    assert a.options(labels={}).labels == ()
    assert w.options(labels={"b": "2", "a": "1"}).options(priority=1).labels == (("a", "1"), ("b", "2"))
    settings = client.worker_settings(labels={"gpu": "t4"})
    assert dict(settings.registration().labels) == {"gpu": "t4"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"": "x"}, "label '' must be printable text"),
        ({"gpu": ""}, "the value of label 'gpu' '' must be"),
        ({"gpu": 1}, "the value of label 'gpu' 1 must be"),
        ({str(number): "x" for number in range(33)}, "33 labels; at most 32"),
    ],
)
def test_labels_are_short_texts(labels, message):
    client = aether.Client(db="memory")
    with pytest.raises(aether.InvalidArgument, match=message):
        client.activity("a", labels=labels)
