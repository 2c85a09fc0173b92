from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.conversation import Api
from extproc.filters.api import KEEP, Deny, Keep, Phase, Subject
from extproc.filters.builtin.limits import Limits

IMAGE = {"type": "image_url", "image_url": {"url": "https://a/b.png"}}
FILE = {"type": "file", "file": {"file_id": "f"}}


def limits(**options: Any) -> Limits:
    return Limits(Limits.Options.model_validate(options))


def chat(*contents: Any, **members: Any) -> Subject:
    messages = [{"role": "user", "content": content} for content in contents]
    return Subject(Phase.INPUT, Api.CHAT, json.dumps({"messages": messages} | members).encode())


@pytest.mark.parametrize(
    ("options", "contents", "denial"),
    [
        ({"max_chars": 3}, ["x" * 9, "äöü"], None),
        ({"max_chars": 3}, ["a", "äöüx"], Deny(
            "the message is longer than 3 characters", 403, "chars"
        )),
        ({"max_total_chars": 5}, ["ab", "cde"], None),
        ({"max_total_chars": 5}, ["ab", "cdef"], Deny(
            "the request has more than 5 characters of text", 403, "total_chars"
        )),
        ({"languages": ["en", "fr"]}, ["Wie wird das Wetter morgen in Oslo?", "and now?"], None),
        ({"languages": ["en", "fr"]}, ["Wie wird das Wetter morgen in Oslo?"], Deny(
            "the message is in a language other than en, fr", 403, "languages"
        )),
        ({"attachments": ["image"]}, [[IMAGE, IMAGE]], None),
        ({"attachments": ["image"]}, [[IMAGE, FILE], "b"], Deny(
            "attachments of a kind that is not allowed: file", 403, "attachments"
        )),
        ({"attachments": []}, [[IMAGE]], Deny(
            "attachments of a kind that is not allowed: image", 403, "attachments"
        )),
        ({"max_attachments": 1}, [[IMAGE], "b"], None),
        ({"max_attachments": 1}, [[IMAGE], [FILE]], Deny(
            "the conversation has more than 1 attachments", 403, "max_attachments"
        )),
        ({"max_attachments": 0}, ["a"], None),
    ],
)  # fmt: skip
async def test_each_limit(options: Any, contents: list[Any], denial: Deny | None) -> None:
    assert await limits(**options).apply(chat(*contents)) == (denial or KEEP)


async def test_the_whole_conversation_is_counted_with_system_and_tools() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 10}}]
    assert await limits(max_total_chars=9).apply(chat("a", tools=tools)) != KEEP
    assert await limits(max_total_chars=11).apply(chat("a", tools=tools)) == KEEP


async def test_all_limits_are_named() -> None:
    all_at_once = limits(max_chars=2, attachments=["audio"], max_attachments=0)
    content = [{"type": "text", "text": "abc"}, IMAGE]
    verdict = await all_at_once.apply(chat(content))
    assert verdict == Deny(
        "the message is longer than 2 characters; attachments of a kind that is not allowed: image;"
        " the conversation has more than 0 attachments",
        403,
        "chars,attachments,max_attachments",
    )


async def test_a_refusal_may_be_worded_otherwise() -> None:
    verdict = await limits(max_chars=1, status=422, message="too long").apply(chat("ab"))
    assert verdict == Deny("too long", 422, "chars")


async def test_a_tag_names_the_limits() -> None:
    tagging = limits(max_chars=1, languages=["en"], action="tag")
    verdict = await tagging.apply(chat("Wie wird das Wetter morgen in Oslo?"))
    assert verdict == Keep(tags=(("limits", "chars,languages"),), note="chars,languages")
    assert await tagging.apply(chat("a")) == KEEP


async def test_a_large_body_is_judged_too() -> None:
    verdict = await limits(max_chars=300_000).apply(chat("x" * 300_001))
    assert isinstance(verdict, Deny)


async def test_requests_of_every_api_are_read() -> None:
    body = json.dumps({"input": "abc"}).encode()
    verdict = await limits(max_chars=2).apply(Subject(Phase.INPUT, Api.RESPONSES, body))
    assert isinstance(verdict, Deny)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "must have one of max_chars, max_total_chars, languages, attachments"),
        ({"status": 400}, "must have one of"),
        ({"max_chars": 0}, "greater than or equal to 1"),
        ({"languages": []}, "at least 1 item"),
        ({"languages": ["english"]}, "must be one of the ISO 639-1 codes af, am"),
        ({"attachments": ["video"]}, "'image', 'audio' or 'file'"),
        ({"max_words": 3}, "Extra inputs"),
    ],
)
def test_options_are_checked(options: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        limits(**options)


def test_the_library_is_loaded_only_for_languages() -> None:
    code = (
        "import sys; from extproc.filters.builtin.limits import Limits;"
        "Limits(Limits.Options(max_chars=1)); print('py3langid' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
