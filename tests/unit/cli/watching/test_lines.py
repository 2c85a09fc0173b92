from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.cli.watching.lines import Layout
from extproc.cli.watching.requests import parse

ROUTED: dict[str, Any] = {
    "time": "2026-05-04T12:00:00.120Z",
    "request_id": "r-1",
    "listener": "travel",
    "method": "POST",
    "path": "/v1/chat/completions",
    "status": 200,
    "agent": "hotel",
    "plan": "weather,hotel",
    "source": "embedded",
    "confidence": 0.934,
    "attempts": 1,
    "filters": "guard=passed",
    "duration_ms": 83,
    "first_byte_ms": 12,
    "error": None,
    "variant": None,
    "details": "via_upstream",
}
DENIED = {
    "time": "x",
    "request_id": "r-2",
    "listener": "travel",
    "method": "GET",
    "path": "/",
    "status": 403,
    "duration_ms": 3,
    "filters": "guard=denied",
    "error": "filter_denied",
    "details": "filter_denied",
}
KEYS = sorted(ROUTED)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
COLOURS = re.compile(r"\x1b\[\d*m")


def shown(*requests: dict[str, Any] | str, colour: bool = False) -> list[str]:
    return list(Layout(colour=colour, today=date(2026, 5, 4)).lines(requests))


def test_requests_are_aligned() -> None:
    routed, text, denied = shown(ROUTED, "outerloop is ready", DENIED)
    assert text == "outerloop is ready"
    assert " ".join(routed.split()[1:]) == (
        "200 POST /v1/chat/completions travel weather>hotel embedded 0.93 83 ms (first 12 ms) r-1"
    )
    assert " ".join(denied.split()) == "x 403 GET / travel 3 ms guard=denied filter_denied r-2"
    for word, other in (("travel", "travel"), ("83 ms", " 3 ms"), ("r-1", "guard")):
        assert routed.index(word) == denied.index(other)


def test_columns_grow_and_stay() -> None:
    layout = Layout(colour=False, today=date(2026, 5, 4))
    (narrow,) = layout.lines([ROUTED])
    (wide,) = layout.lines([ROUTED | {"listener": "travel_booking"}])
    (later,) = layout.lines([ROUTED])
    assert narrow.index("weather") < wide.index("weather") == later.index("weather")
    (longest,) = layout.lines([ROUTED | {"listener": "t" * 100}])
    assert longest.index("weather") > 100
    (after,) = layout.lines([ROUTED])
    assert after.index("weather") < 100


def test_what_is_worth_telling() -> None:
    (line,) = shown(
        ROUTED
        | {"status": 503, "attempts": 2, "variant": "canary", "output_filters": "pii=changed"}
        | {"error": "upstream_reset", "details": "upstream_reset_before_response_started{x}"}
    )
    assert line.partition(")")[2].split("  ")[1:] == [
        "variant=canary",
        "attempts=2",
        "output pii=changed",
        "upstream_reset (upstream_reset_before_response_started{x})",
        "r-1",
    ]
    (left,) = shown(ROUTED | {"details": "downstream_remote_disconnect"})
    assert left.endswith("downstream_remote_disconnect  r-1")


def test_statuses_have_colours() -> None:
    for status, code in ((200, 32), (302, 32), (404, 33), (0, 33), (503, 31)):
        (line,) = shown(ROUTED | {"status": status}, colour=True)
        assert f"\x1b[{code}m{status}\x1b[0m" in line
    assert "\x1b[31mfilter_denied\x1b[0m" in shown(DENIED, colour=True)[0]
    left = ROUTED | {"details": "downstream_remote_disconnect"}
    assert "\x1b[33mdownstream_remote_disconnect\x1b[0m" in shown(left, colour=True)[0]


def test_colours_change_nothing_else() -> None:
    coloured = [COLOURS.sub("", line) for line in shown(ROUTED, DENIED, colour=True)]
    assert coloured == shown(ROUTED, DENIED)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), max_size=3), st.booleans())
def test_any_object_is_a_harmless_line(told: list[dict[str, Any]], colour: bool) -> None:
    lines = shown(*(ROUTED | each for each in told), colour=colour)
    assert len(lines) == len(told)
    assert all(COLOURS.sub("", line).isprintable() for line in lines)


@given(JSON)
def test_any_value_survives_the_way_through_json(value: Any) -> None:
    request = parse(json.dumps(dict.fromkeys(KEYS, value)))
    assert request is not None
    assert [line.isprintable() for line in shown(dict(request))] == [True]
