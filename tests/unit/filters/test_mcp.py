from __future__ import annotations

from typing import Any

import pytest
from mcp.types import CallToolResult, ImageContent, TextContent

from extproc.conversation import Api
from extproc.filters.api import KEEP, Change, Deny, FilterError, Form, Phase, Subject, Verdict
from extproc.filters.mcp import _argument, _verdict

BODY = b'{"a": 1}'
SUBJECT = Subject(Phase.INPUT, Api.CHAT, BODY)


def result(*texts: str, structured: Any = None, is_error: bool = False) -> CallToolResult:
    content: list[Any] = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(content=content, structured_content=structured, is_error=is_error)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (result("ignored", structured={"a": 2}), Change(b'{"a": 2}')),
        (result(structured={"result": '{"a": 2}'}), Change(b'{"a": 2}')),
        (result(structured={"result": {"a": 2}}), Change(b'{"a": 2}')),
        (result(structured={"result": None}), KEEP),
        (result(structured={"a": 1}), KEEP),
        (result('{"a": 2}'), Change(b'{"a": 2}')),
        (result('{"a":', " 2}"), Change(b'{"a": 2}')),
        (result(""), KEEP),
        (result(), KEEP),
        (result("no", is_error=True), Deny("no", 400)),
    ],
)
def test_what_a_result_means(reply: CallToolResult, verdict: Verdict) -> None:
    assert _verdict(SUBJECT, {"a": 1}, reply) == verdict


def test_a_tool_that_cannot_take_its_arguments_has_failed() -> None:
    said = "Error executing tool guard: 1 validation error for guardArguments\nbody\n  my secret"
    with pytest.raises(FilterError) as failed:
        _verdict(SUBJECT, {"a": 1}, result(said, is_error=True))
    assert "secret" not in str(failed.value)


def test_other_content_is_no_body() -> None:
    image = ImageContent(type="image", data="AAAA", mime_type="image/png")
    with pytest.raises(FilterError):
        _verdict(SUBJECT, {"a": 1}, CallToolResult(content=[image]))


def test_the_body_is_json_or_else_text() -> None:
    assert _argument(SUBJECT) == {"a": 1}
    assert _argument(Subject(Phase.OUTPUT, Api.CHAT, b"data: x\n\n", Form.EVENTS)) == "data: x\n\n"


@pytest.mark.parametrize(
    ("body", "form"), [(b'{"a": "\\ud800"}', Form.JSON), (b"\xff", Form.OTHER)]
)
def test_what_mcp_cannot_carry_is_a_failure(body: bytes, form: Form) -> None:
    with pytest.raises(FilterError):
        _argument(Subject(Phase.INPUT, Api.CHAT, body, form))
