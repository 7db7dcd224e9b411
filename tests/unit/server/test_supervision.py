"""Claims about tasks that may fail now and then."""

import pytest
import trio
import trio.testing

from aether.server import supervision
from aether.server.supervision import supervise

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


async def test_a_task_that_fails_is_begun_again_until_it_is_done(caplog):
    turns = []

    async def work():
        turns.append(trio.current_time())
        if len(turns) < 4:
            raise OSError("now and then")

    await supervise("work", work)
    assert [at - turns[0] for at in turns] == [0, 1, 2, 3]
    assert [record.msg for record in caplog.records] == ["task_failed"] * 3


async def test_a_task_that_keeps_failing_ends_the_process():
    turns = []

    async def work():
        turns.append(1)
        raise OSError("for ever")

    with pytest.raises(OSError, match="for ever"):
        await supervise("work", work)
    assert len(turns) == supervision.RESTARTS_MAX + 1


async def test_failures_of_long_ago_do_not_count():
    turns = []

    async def work():
        turns.append(1)
        if len(turns) == 50:
            return
        await trio.sleep(100)
        raise OSError("once in a while")

    await supervise("work", work)
    assert len(turns) == 50


async def test_a_cancelled_task_is_not_begun_again():
    with trio.move_on_after(5) as scope:
        await supervise("work", trio.sleep_forever)
    assert scope.cancelled_caught
