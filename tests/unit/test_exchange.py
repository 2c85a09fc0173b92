from __future__ import annotations

from extproc.budget import Budget
from extproc.exchange import Exchange
from extproc.forwarding import Trail
from extproc.http import Headers, HttpRequest

TRAIL = Trail("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", loops=1)
REQUEST = HttpRequest("POST", "/v1/messages?k=v", Headers((("x-request-id", "r"),)))


def test_tags_are_headers_like_any_other() -> None:
    exchange = Exchange(REQUEST, TRAIL, Budget(1), [], [])
    tagged = exchange.tagged((("x-outerloop-tag-a", "b"),)).tagged((("x-outerloop-tag-c", "d"),))
    assert tagged.request.headers.get("x-outerloop-tag-a") == "b"
    assert tagged.tags == (("x-outerloop-tag-a", "b"), ("x-outerloop-tag-c", "d"))
    assert tagged.filters is exchange.filters
    assert exchange.tagged(()) is exchange


def test_what_filters_are_told() -> None:
    exchange = Exchange(REQUEST, TRAIL, Budget(1), [], [], tags=(("x-outerloop-tag-a", "b"),))
    setting = exchange.setting((("x-outerloop-listener", "l"),))
    assert setting.api == "/v1/messages"
    assert setting.ours == (
        ("x-request-id", "r"),
        ("x-outerloop-listener", "l"),
        ("x-outerloop-tag-a", "b"),
    )


def test_a_fork_has_its_own_budget() -> None:
    exchange = Exchange(REQUEST, TRAIL, Budget(5), [], [])
    fork = exchange.forked()
    fork.budget.shrink(1)
    assert (exchange.budget.left, fork.budget.left) == (5, 1)
