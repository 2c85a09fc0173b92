"""Any bytes at all: an agent gets them as they are, or the client is told what is wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack
    from tests.e2e.hostile.conftest import Wire

PATHS: Final = ("/v1/chat/completions", "/v1/messages", "/v1/responses")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "assistant", "tool", "flight_agent", "text", "message"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "id"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": values}
    )
    | values,
    max_size=4,
)
conversations = st.fixed_dictionaries(
    {},
    optional={
        "messages": messages,
        "input": messages | st.text(),
        "model": st.sampled_from(["flight_agent", "gpt"]) | values,
        "stream": st.booleans() | values,
        "tools": values,
    },
)
encoded = st.builds(
    lambda document, ascii_only: json.dumps(document, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    ),
    conversations,
    st.booleans(),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a conversation with some bytes replaced by others."""
    body = draw(encoded)
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 8)))
    return body[:start] + draw(st.binary(max_size=8)) + body[end:]


@settings(
    max_examples=150,
    deadline=None,
    database=None,
    # The fixtures hold nothing that one example could leave to the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(path=st.sampled_from(PATHS), body=encoded | damaged() | st.binary(max_size=2000))
def test_the_answer_is_an_agents_or_a_400(
    travel: Stack, connect: Callable[[Any], Wire], path: str, body: bytes
) -> None:
    wire = connect(travel)
    answer = wire.request("POST", path, (), body)
    if answer.status == 200:
        assert base64.b64decode(answer.json["body"]) == body
        assert answer.json["target"] == path
    else:
        assert answer.refuses(400, "invalid_request", path)
