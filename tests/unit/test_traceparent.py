from __future__ import annotations

import pytest

from extproc.traceparent import is_sampled, start, trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "header", [f"00-{TRACE}-00f067aa0ba902b7-01", f"01-{TRACE}-00f067aa0ba902b7-00-later"]
)
def test_the_trace_id_of_a_header(header: str) -> None:
    assert trace_id(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{TRACE}-00f067aa0ba902b7-01 ",
    ],
)
def test_what_is_no_header(header: str | None) -> None:
    assert trace_id(header) is None


def test_each_start_is_a_trace_of_its_own() -> None:
    first, second = start(), start()
    assert trace_id(first) is not None
    assert trace_id(first) != trace_id(second)
    assert first.endswith("-00")
    assert start(sampled=True).endswith("-01")


def test_the_flags_say_whether_a_trace_is_wanted() -> None:
    for flags, wanted in (("00", False), ("01", True), ("02", False), ("03", True)):
        assert is_sampled(f"00-{TRACE}-00f067aa0ba902b7-{flags}") is wanted
    assert is_sampled(f"01-{TRACE}-00f067aa0ba902b7-01-later")
    assert is_sampled(start(sampled=True))
    assert not is_sampled(start())
