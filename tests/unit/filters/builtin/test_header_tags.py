from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.conversation import Api
from extproc.filters.api import Keep, Phase, Subject
from extproc.filters.builtin.header_tags import HeaderTags


async def tags(*entries: Any, body: Any = None, api: Api = Api.CHAT) -> dict[str, str]:
    if body is None:
        body = {"messages": [{"role": "user", "content": "I want a refund"}], "model": "gpt"}
    made = HeaderTags(HeaderTags.Options.model_validate({"tags": entries}))
    verdict = await made.apply(Subject(Phase.INPUT, api, json.dumps(body).encode()))
    assert isinstance(verdict, Keep)
    assert verdict.note == ", ".join(name for name, _ in verdict.tags)
    return dict(verdict.tags)


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        (None, True),
        ({"pattern": "refund"}, True),
        ({"pattern": "^refund"}, False),
        ({"pattern": "REFUND"}, False),
        ({"pattern": "(?i)REFUND"}, True),
        ({"path": "/v1/chat/completions"}, True),
        ({"path": "/v1/messages"}, False),
        ({"model": "gpt"}, True),
        ({"model": "gp"}, False),
        ({"pattern": "refund", "model": "gpt", "path": "/v1/chat/completions"}, True),
        ({"pattern": "refund", "model": "other"}, False),
        ({"pattern": "other", "model": "gpt"}, False),
    ],
)
async def test_an_entry_sets_its_tag_where_all_that_is_written_matches(
    when: Any, matches: bool
) -> None:
    found = await tags({"name": "a", "value": "b c", "when": when})
    assert found == ({"a": "b c"} if matches else {})


async def test_a_later_entry_of_the_same_name_overwrites() -> None:
    entries = [
        {"name": "tier", "value": "basic"},
        {"name": "other", "value": "x"},
        {"name": "tier", "value": "gold", "when": {"model": "gpt"}},
        {"name": "tier", "value": "none", "when": {"model": "other"}},
    ]
    assert await tags(*entries) == {"tier": "gold", "other": "x"}


async def test_only_the_last_user_message_is_searched() -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "last"}]},
        {"role": "assistant", "content": "answer"},
    ]
    entries = [{"name": each, "value": "1", "when": {"pattern": each}}
               for each in ("first", "last", "answer")]  # fmt: skip
    assert await tags(*entries, body={"messages": messages}) == {"last": "1"}


async def test_only_the_first_10_000_characters_are_searched() -> None:
    entry = {"name": "a", "value": "1", "when": {"pattern": "x"}}
    for blanks, found in ((9_999, {"a": "1"}), (10_000, {})):
        body = {"messages": [{"role": "user", "content": " " * blanks + "x"}]}
        assert await tags(entry, body=body) == found


async def test_without_a_user_message_only_an_empty_text_is_searched() -> None:
    body = {"messages": [{"role": "system", "content": "x"}]}
    assert await tags({"name": "a", "value": "1", "when": {"pattern": "x"}}, body=body) == {}


async def test_the_body_is_read_only_where_an_entry_needs_it() -> None:
    made = HeaderTags(HeaderTags.Options.model_validate({"tags": [{"name": "a", "value": "1"}]}))
    assert await made.apply(Subject(Phase.INPUT, Api.CHAT, b"{")) == Keep((("a", "1"),), "a")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "A"}, "must be 1 to 64 of a-z, 0-9 and `-`"),
        ({"name": "a_b"}, "must be 1 to 64"),
        ({"name": "a" * 65}, "must be 1 to 64"),
        ({"name": "a\n"}, "must be 1 to 64"),
        ({"value": ""}, "must be 1 to 256 printable ASCII characters"),
        ({"value": "é"}, "must be 1 to 256"),
        ({"value": " a"}, "must be 1 to 256"),
        ({"value": "a\r\nb: c"}, "must be 1 to 256"),
        ({"value": "a" * 257}, "must be 1 to 256"),
        ({"when": {}}, "must have one of pattern, path, model"),
        ({"when": {"path": "/v1/other"}}, "/v1/messages"),
        ({"when": {"pattern": "a(b"}}, "regular expression of Python; it is wrong at character 2"),
        ({"when": {"pattern": "a{1,99999999999999999999}"}}, "it is too large"),
        ({"when": {"pattern": "a" * 1001}}, "at most 1000"),
        ({"when": {"header": "a"}}, "Extra inputs"),
    ],
)
def test_entries_are_checked(entry: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HeaderTags.Options.model_validate({"tags": [{"name": "a", "value": "b"} | entry]})


def test_there_must_be_a_tag() -> None:
    with pytest.raises(ValidationError):
        HeaderTags.Options.model_validate({"tags": []})
