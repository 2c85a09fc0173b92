from __future__ import annotations

import pytest

from extproc.http import NO_MUTATIONS, Answer, Headers, HttpRequest, Mutations

HEADERS = Headers((("x-a", "1"), ("cookie", "first"), ("cookie", "second")))


def test_headers_keep_order_and_repeat() -> None:
    assert HEADERS.get("cookie") == "first"
    assert HEADERS.get_all("cookie") == ("first", "second")
    assert list(HEADERS) == [("x-a", "1"), ("cookie", "first"), ("cookie", "second")]


def test_absent_headers() -> None:
    assert HEADERS.get("x-b") is None
    assert HEADERS.get_all("x-b") == ()


@pytest.mark.parametrize(
    ("target", "path"),
    [("/v1/messages", "/v1/messages"), ("/v1/messages?beta=true&x=?", "/v1/messages"), ("", "")],
)
def test_the_path_is_without_the_query(target: str, path: str) -> None:
    assert HttpRequest("POST", target, Headers()).path == path


def test_nothing_changes_unless_asked() -> None:
    assert Mutations() == NO_MUTATIONS
    assert (NO_MUTATIONS.body, NO_MUTATIONS.reroute) == (None, False)
    assert (NO_MUTATIONS.set_headers, NO_MUTATIONS.remove_headers) == ((), ())


def test_an_answer_is_ok_unless_said() -> None:
    assert Answer(b"{}").status == 200
