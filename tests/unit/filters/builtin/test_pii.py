from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.conversation import Api
from extproc.filters.api import (
    KEEP,
    Change,
    Deny,
    FilterError,
    Form,
    Keep,
    Phase,
    StreamFilter,
    Subject,
    Verdict,
)
from extproc.filters.builtin.personal.detector import Detector, Found
from extproc.filters.builtin.pii import Pii
from extproc.plugins import PluginError, options_model, phases

TEXT = "to a@b.com, c@d.com and +44 20 7946 0018"
MASKED = "to [email], [email] and [phone]"
NOTE = "email:2, phone:1"
BODY = json.dumps({"messages": [{"role": "user", "content": TEXT}]}).encode()


def pii(**options: Any) -> Pii:
    return Pii(Pii.Options.model_validate(options))


def subject(body: bytes, form: Form = Form.JSON) -> Subject:
    return Subject(Phase.INPUT, Api.CHAT, body, form)


def delta(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}}
    return b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode()


async def apply(body: bytes, form: Form = Form.JSON, **options: Any) -> Verdict:
    return await pii(**options).apply(subject(body, form))


def test_is_a_plug_in_for_both_ways() -> None:
    assert options_model(Pii) is Pii.Options
    assert phases(Pii) == {"input", "output"}
    assert isinstance(pii(), StreamFilter)


async def test_masks_the_texts_of_a_body() -> None:
    masked = BODY.replace(TEXT.encode(), MASKED.encode())
    assert await apply(BODY) == Change(masked, note=NOTE)


async def test_keeps_a_body_with_nothing_in_it() -> None:
    assert await apply(b'{"messages": []}') == KEEP
    assert await apply(b'{"messages": []}', action="tag") == KEEP
    assert await apply(b'{"messages": []}', action="deny") == KEEP


async def test_refuses_and_names_the_kinds() -> None:
    message = "personal data or secrets: email, phone"
    assert await apply(BODY, action="deny") == Deny(message, 403, NOTE)
    denied = await apply(BODY, action="deny", status=422, message="please do not")
    assert denied == Deny("please do not", 422, NOTE)


async def test_tags_with_the_kinds() -> None:
    assert await apply(BODY, action="tag") == Keep(tags=(("pii", "email,phone"),), note=NOTE)


async def test_looks_for_what_it_is_told_to_and_writes_what_it_is_told_to() -> None:
    masked = BODY.replace(b"+44 20 7946 0018", b"<phone?>")
    assert await apply(BODY, types=["phone"], mask="<{type}?>") == Change(masked, note="phone:1")


async def test_finds_national_numbers_of_regions() -> None:
    body = json.dumps({"messages": [{"content": "call 020 7946 0018"}]}).encode()
    assert await apply(body) == KEEP
    assert await apply(body, regions=["GB"]) == Change(
        body.replace(b"020 7946 0018", b"[phone]"), note="phone:1"
    )


async def test_a_body_that_is_no_json_is_one_text() -> None:
    assert await apply(TEXT.encode(), Form.OTHER) == Change(MASKED.encode(), note=NOTE)
    with pytest.raises(FilterError, match="UTF-8"):
        await apply(b"\xff", Form.OTHER)


async def test_events_that_are_the_whole_stream_are_masked_across() -> None:
    body = delta("to a@") + delta("b.com") + b"data: [DONE]\n\n"
    masked = delta("to [email]") + delta("") + b"data: [DONE]\n\n"
    assert await apply(body, Form.EVENTS) == Change(masked, note="email:1")
    assert await apply(delta("hello"), Form.EVENTS) == KEEP
    assert await apply(body, Form.EVENTS, action="tag") == Keep((("pii", "email"),), "email:1")


async def test_a_large_body_is_worked_on_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def find(self: Detector, text: str, begin: int = 0, *, final: bool = True) -> Found:
        threads.append(threading.current_thread())
        return real(self, text, begin, final=final)

    real = Detector.find
    monkeypatch.setattr(Detector, "find", find)
    await apply(BODY)
    await apply(json.dumps({"messages": [{"content": "a" * 300_000}]}).encode())
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


def test_a_stream_holds_back_what_may_be_part_of_a_match() -> None:
    editor = pii().open_stream()
    events = [delta("to a@"), delta("b.com"), delta(", hello. ")]
    verdicts = [editor.feed(subject(each, Form.EVENTS)) for each in events]
    assert verdicts == [
        Change(b""),
        Change(b""),
        Change(delta("to [email]") + delta("") + events[2], note="email:1"),
    ]
    assert editor.feed(subject(delta("or "), Form.EVENTS)) == KEEP
    assert editor.feed(subject(delta("c@d.com"), Form.EVENTS)) == Change(b"")
    assert editor.close() == Change(delta("[email]"), note="email:1")


def test_a_stream_is_refused_as_soon_as_something_is_found() -> None:
    editor = pii(action="deny").open_stream()
    assert editor.feed(subject(delta("to a@b.com"), Form.EVENTS)) == Change(b"")
    assert editor.feed(subject(delta(", "), Form.EVENTS)) == Deny(
        "personal data or secrets: email", 403, "email:1"
    )


def test_a_stream_may_be_refused_at_its_end() -> None:
    editor = pii(action="deny").open_stream()
    editor.feed(subject(delta("to a@b.com"), Form.EVENTS))
    assert editor.close() == Deny("personal data or secrets: email", 403, "email:1")
    failed = pii(action="deny").open_stream()
    failed.feed(subject(delta("to a@b.com"), Form.EVENTS))
    with pytest.raises(FilterError, match="UTF-8"):
        failed.feed(subject(b"data: \xff\n\n", Form.EVENTS))
    assert failed.close() == Change(delta("to [email]"))
    harmless = pii(action="deny").open_stream()
    harmless.feed(subject(delta("to you"), Form.EVENTS))
    assert harmless.close() == Change(delta("to you"))


def test_a_stream_is_tagged_with_all_that_was_found() -> None:
    editor = pii(action="tag").open_stream()
    texts = ("to a@", "b.com, ", "and ", "+44 20 7946 0018, ", "c@d.com")
    verdicts = [editor.feed(subject(delta(text), Form.EVENTS)) for text in texts]
    assert verdicts == [
        KEEP,
        Keep((("pii", "email"),), "email:1"),
        KEEP,
        Keep((("pii", "email,phone"),), "phone:1"),
        KEEP,
    ]
    assert editor.close() == Keep((("pii", "email,phone"),), "email:1")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"types": []}, "at least 1"),
        ({"types": ["name"]}, "'email'"),
        ({"action": "drop"}, "'mask'"),
        ({"mask": "{type} {text}"}, "unknown placeholder {text}; known is {type}"),
        ({"mask": "a\nb"}, "control characters"),
        ({"mask": '"x"'}, "quotes"),
        ({"mask": "\\x"}, "backslashes"),
        ({"regions": ["gb"]}, "pattern"),
        ({"regions": ["XX"]}, "phone numbers of its own"),
        ({"statuses": 400}, "Extra inputs"),
    ],
)
def test_options_are_checked(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        Pii.Options.model_validate(options)


def test_every_option_is_described() -> None:
    assert all(field.description for field in Pii.Options.model_fields.values())


def test_needs_its_libraries_only_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    pii(types=["email", "key", "card"])
    with pytest.raises(PluginError, match=r"pip install 'outerloop-extproc\[pii\]'"):
        pii()


def test_streams_of_one_filter_have_nothing_in_common() -> None:
    made = pii()
    first, second = made.open_stream(), made.open_stream()
    first.feed(subject(delta("to a@"), Form.EVENTS))
    second.feed(subject(delta("b.com "), Form.EVENTS))
    assert (first.close(), second.close()) == (Change(delta("to a@")), KEEP)


async def test_many_requests_at_once() -> None:
    """In threads: what they share must not mix them up."""
    made = pii()
    texts = [f"user{number}@example.com " * 3000 for number in range(6)]
    bodies = [json.dumps({"messages": [{"content": text}]}).encode() for text in texts]
    kept = [json.dumps({"messages": [{"content": f"{n} a@b.com"}]}).encode() for n in range(6)]
    verdicts = await asyncio.gather(*(made.apply(subject(body)) for body in (*bodies, *kept)))
    masked = json.dumps({"messages": [{"content": "[email] " * 3000}]}).encode()
    assert verdicts[:6] == [Change(masked, note="email:3000")] * 6
    assert verdicts[6:] == [
        Change(body.replace(b"a@b.com", b"[email]"), note="email:1") for body in kept
    ]
