from __future__ import annotations

from extproc.calls import Call, CallFailed, Response, Target
from extproc.http import Headers
from extproc.origin import parse_origin

SECRET = "a prompt or a key"


def test_content_and_credentials_are_in_no_repr() -> None:
    target = Target("model", parse_origin("http://127.0.0.1:1"))
    call = Call(target, "/v1/x", SECRET.encode(), 1.0, 10, (("authorization", SECRET),))
    assert SECRET not in repr(call)
    assert SECRET not in repr(Response(200, Headers(), SECRET.encode()))


def test_a_failure_says_whether_it_was_time() -> None:
    assert CallFailed("model: too late", timed_out=True).timed_out
    assert not CallFailed("model: refused").timed_out
