"""docs/errors.md says what the code does: each status and code, in both shapes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from extproc import errors
from extproc.apis.errors import error_body
from extproc.conversation import Api

PAGE = Path(__file__).parents[2] / "docs/errors.md"
ROW = re.compile(r"^\| (\d{3}) \| `(\w+)` \| .* \| `(\w+)` \| `(\w+)` \|$", re.MULTILINE)

ROWS = [(int(status), code, *types) for status, code, *types in ROW.findall(PAGE.read_text())]


def all_errors() -> set[tuple[int, str]]:
    """Every status and code a client can see, but for a filter's own statuses."""
    found = {each for each in vars(errors).values() if isinstance(each, type)}
    classes = {each for each in found if issubclass(each, errors.OuterloopError)}
    varying = {errors.OuterloopError, errors.FilterDenied, errors.FilterFailed}
    return (
        {(error.status, error.code) for error in classes - varying}
        | {(error.status, error.code) for error in errors.GATEWAY_ERRORS.values()}
        | {
            (errors.FilterFailed("f", timed_out=late).status, "filter_failed")
            for late in (False, True)
        }
    )


def test_every_error_is_documented() -> None:
    assert {(status, code) for status, code, *_ in ROWS} == all_errors()
    assert f"`{errors.FilterDenied.code}`" in PAGE.read_text()


@pytest.mark.parametrize(("status", "code", "openai", "anthropic"), ROWS)
def test_the_documented_types_are_sent(status: int, code: str, openai: str, anthropic: str) -> None:
    reject = errors.Reject(status, code, "message")
    bodies = [json.loads(error_body(api, reject)) for api in (Api.CHAT, Api.MESSAGES)]
    assert [body["error"]["type"] for body in bodies] == [openai, anthropic]
    assert [body["error"]["code"] for body in bodies] == [code, code]


def test_the_examples_are_the_answers() -> None:
    reject = errors.Reject(400, "invalid_request", "the body is not valid JSON")
    blocks = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    expected = [json.loads(error_body(api, reject)) for api in (Api.MESSAGES, Api.CHAT)]
    assert [json.loads(block) for block in blocks] == expected
