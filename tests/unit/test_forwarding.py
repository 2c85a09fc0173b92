from __future__ import annotations

import pytest

from extproc.forwarding import Credentials, Trail, forwarded, passed_loops

CHAT = "/v1/chat/completions"


def test_what_goes_on_and_what_ends_here() -> None:
    goes_on = [
        ("user-agent", "x"),
        ("authorization", "Bearer k"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("content-type", "application/json"),
        ("x-request-id", "r"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x_custom", "1"),
    ]
    ends_here = [
        (":method", "POST"),
        ("host", "h"),
        ("connection", "close"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("accept-encoding", "gzip"),
        ("expect", "100-continue"),
        ("x-outerloop-agent", "a"),
        ("x-envoy-internal", "true"),
        ("traceparent", "00"),
        ("outerloop-hops", "1"),
    ]
    mixed = [pair for both in zip(ends_here, goes_on + goes_on, strict=False) for pair in both]
    assert [pair for pair in forwarded(mixed + ends_here) if pair in goes_on] == list(
        forwarded(mixed + ends_here)
    )
    assert list(forwarded(goes_on)) == goes_on
    assert not list(forwarded(ends_here))


def test_the_host_that_was_asked_goes_on_beside_the_agents() -> None:
    asked = [(":authority", "desk.example"), ("x-forwarded-host", "www.example")]
    assert list(forwarded(asked)) == [
        ("x-forwarded-host", "www.example"),
        ("x-forwarded-host", "desk.example"),
    ]


@pytest.mark.parametrize(
    ("value", "count"),
    [(None, 0), ("0", 0), ("7", 7), ("999", 999), ("1000", 0), ("-1", 0), ("x", 0), ("٣", 0)],
)
def test_loops_passed(value: str | None, count: int) -> None:
    assert passed_loops(value) == count


def test_a_trail_goes_under_the_span_that_calls() -> None:
    trail = Trail("00-a-b-01", loops=2)
    assert trail.headers() == (("traceparent", "00-a-b-01"), ("outerloop-hops", "2"))
    assert trail.headers("00-a-c-01")[0] == ("traceparent", "00-a-c-01")


def test_the_trace_of_a_trail() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert Trail(f"00-{trace}-00f067aa0ba902b7-01", loops=1).trace_id == trace


SENT = [("authorization", "Bearer theirs"), ("x-api-key", "theirs"), ("x-team", "theirs")]


def test_credentials_go_on_unless_the_agent_has_its_own() -> None:
    assert list(Credentials().applied(SENT, CHAT)) == SENT
    assert list(Credentials(forward=False).applied(SENT, CHAT)) == [("x-team", "theirs")]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (CHAT, ("authorization", "Bearer ours")),
        ("/team/v1/responses", ("authorization", "Bearer ours")),
        ("/team/v1/messages?beta=true", ("x-api-key", "ours")),
    ],
)
def test_each_api_wants_the_key_in_its_own_header(path: str, sent: tuple[str, str]) -> None:
    own = Credentials(forward=False, key="ours", headers=(("x-team", "ours"),))
    assert sorted(own.applied(SENT, path)) == sorted([sent, ("x-team", "ours")])
    assert "ours" not in repr(own)
