from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from extproc.errors import FilterDenied, FilterFailed
from extproc.filters.answer import AnswerRun, filter_whole
from extproc.filters.api import KEEP, Change, Deny, Form, Phase, Subject, Verdict
from extproc.filters.chain import Chain, Link, Setting
from extproc.http import Headers
from extproc.plan import FilterRecord
from extproc.spans import NoTracer

MakeSetting = Callable[..., Setting]
JSON = b'{"a": "secret"}'
EVENTS = b'data: {"a": "secret"}\n\ndata: [DONE]\n\n'


class Masks:
    def __init__(self) -> None:
        self.seen: list[Subject] = []

    async def apply(self, subject: Subject, /) -> Verdict:
        self.seen.append(subject)
        if b"deny" in subject.body:
            return Deny("no")
        masked = subject.body.replace(b"secret", b"*")
        return KEEP if masked == subject.body else Change(masked)


def chain(masks: Masks, **changes: object) -> Chain:
    return Chain((Link("f", masks, 5.0, **changes),), NoTracer())  # type: ignore[arg-type] # the fields of a test


def headers(content_type: str = "application/json", encoding: str | None = None) -> Headers:
    coded = (("content-encoding", encoding),) if encoding else ()
    return Headers((("content-type", content_type), *coded))


async def run(
    setting: Setting, filters: Chain, body: bytes, head: Headers, limit: int = 10_000
) -> tuple[list[bytes], bool]:
    """What comes out, piece by piece, and whether it is changed; the body comes in bytes."""
    with AnswerRun(filters, setting, head, limit) as answer:
        out = [piece for at in range(len(body)) async for piece in answer.feed(body[at : at + 1])]
        out += [piece async for piece in answer.close()]
        return [piece for piece in out if piece], answer.changed


@pytest.fixture
def setting(make_setting: MakeSetting) -> Setting:
    return make_setting(phase=Phase.OUTPUT, status=200)


async def test_a_whole_answer_comes_at_its_end(setting: Setting) -> None:
    masks = Masks()
    assert await run(setting, chain(masks), JSON, headers()) == ([b'{"a": "*"}'], True)
    [subject] = masks.seen
    assert (subject.form, subject.status, subject.body) == (Form.JSON, 200, JSON)


async def test_events_come_one_by_one(setting: Setting) -> None:
    out = await run(setting, chain(Masks()), EVENTS, headers("text/event-stream; charset=utf-8"))
    assert out == ([b'data: {"a": "*"}\n\n', b"data: [DONE]\n\n"], True)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_what_a_body_is_the_body_says(content_type: str, setting: Setting) -> None:
    masks = Masks()
    out, _ = await run(setting, chain(masks), EVENTS, headers(content_type))
    assert b"".join(out) == EVENTS.replace(b"secret", b"*")
    assert masks.seen[0].form is Form.EVENTS
    out, _ = await run(setting, chain(masks), b"a secret", headers(content_type))
    assert (out, masks.seen[-1].form) == ([b"a *"], Form.OTHER)


@pytest.mark.parametrize(
    ("body", "content_type"), [(JSON, "application/json"), (EVENTS, "text/event-stream")]
)
async def test_a_compressed_answer_is_inflated(
    body: bytes, content_type: str, setting: Setting
) -> None:
    head = headers(content_type, "gzip")
    out, changed = await run(setting, chain(Masks()), gzip.compress(body), head)
    assert (b"".join(out), changed) == (body.replace(b"secret", b"*"), True)


async def test_an_answer_that_nobody_changes_stays_as_it_was_sent(setting: Setting) -> None:
    sent = gzip.compress(b'{"a": 1}')
    assert await run(setting, chain(Masks()), sent, headers(encoding="gzip")) == ([sent], False)
    assert await run(setting, chain(Masks()), b"", headers()) == ([], False)


UNREADABLE = {
    "encoding": (b"secret", headers(encoding="br"), 10_000),
    "broken": (b"secret", headers(encoding="gzip"), 10_000),
    "large": (b"secret", headers(), 5),
    "inflated": (gzip.compress(b"secret" * 1000), headers(encoding="gzip"), 500),
    "event": (b"data: secret", headers("text/event-stream"), 11),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_what_no_filter_can_read_does_not_pass_unless_all_are_skipped(
    case: str, setting: Setting, records: list[FilterRecord]
) -> None:
    body, head, limit = UNREADABLE[case]
    with pytest.raises(FilterFailed):
        await run(setting, chain(Masks()), body, head, limit)
    out, _ = await run(setting, chain(Masks(), skip_failed=True), body, head, limit)
    assert b"".join(out) == body
    assert [each.label for each in records] == ["failed", "skipped"]


async def test_a_refusal_is_raised(setting: Setting) -> None:
    with pytest.raises(FilterDenied):
        await run(setting, chain(Masks()), b'{"a": "deny"}', headers())


async def test_the_answer_of_an_earlier_agent(setting: Setting) -> None:
    assert await filter_whole(chain(Masks()), setting, headers(), JSON, 99) == b'{"a": "*"}'
    assert await filter_whole(Chain((), NoTracer()), setting, headers(), JSON, 1) is JSON
