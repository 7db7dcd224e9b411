"""Who follows a run hears of its events when they are durable: neither before nor only later."""

import pytest

from aether.errors import LimitExceeded
from aether.server.followers import Follower, Followers, Listener


def heard(follower: Follower | Listener) -> bool:
    """Was there news since it was asked last?"""
    was = follower.news.is_set()
    follower.clear()
    return was


def test_news_are_news_when_they_are_durable():
    followers = Followers(10)
    assert not followers
    with followers.follow(7, last_ticket=0) as follower:
        assert followers
        followers.durable(0)
        followers.mark([7, 7, 8], 1)
        followers.durable(0)
        assert not heard(follower)
        followers.durable(1)
        assert heard(follower)
        followers.durable(2)
        assert not heard(follower)
        followers.mark([8], 3)
        followers.durable(3)
        assert not heard(follower)
    assert not followers


def test_what_was_on_its_way_when_somebody_came_is_news_too():
    followers = Followers(10)
    with followers.follow(7, last_ticket=5) as follower:
        followers.durable(4)
        assert not heard(follower)
        followers.durable(5)
        assert heard(follower)


def test_who_is_marked_without_end_hears_of_each_all_the_same():
    followers = Followers(10)
    with followers.follow(7, last_ticket=0) as follower:
        for ticket in range(1, 50):
            followers.mark([7], ticket + 1)
            followers.durable(ticket)
            assert heard(follower) == (ticket > 1)


def test_several_may_follow_a_run_and_not_too_many_all_runs():
    followers = Followers(2)
    with followers.follow(7, 0) as first, followers.follow(7, 0) as second:
        followers.mark([7], 1)
        followers.durable(1)
        assert heard(first)
        assert heard(second)
        with pytest.raises(LimitExceeded, match="2 histories are followed"), followers.follow(8, 0):
            pass
    with followers.follow(7, 0), followers.follow(8, 0):
        pass
    assert not followers


def test_who_listens_to_all_hears_when_something_has_become_durable():
    followers = Followers(0)
    with followers.listen() as first, followers.listen() as second:
        assert followers
        followers.mark([7], 1)
        followers.durable(0)
        assert not heard(first)
        followers.durable(1)
        assert heard(first)
        assert heard(second)
        # Answers that rest on nothing new announce the same ticket again.
        followers.durable(1)
        assert not heard(first)
    assert not followers
