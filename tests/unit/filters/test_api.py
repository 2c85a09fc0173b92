from __future__ import annotations

from extproc.conversation import Api
from extproc.filters.api import KEEP, Change, Deny, Phase, StreamFilter, Subject, Verdict

SECRET = "my secret prompt"


class Plain:
    async def apply(self, _subject: Subject, /) -> Verdict:
        return KEEP


def test_content_is_never_shown() -> None:
    subject = Subject(Phase.INPUT, Api.CHAT, SECRET.encode(), headers=(("cookie", SECRET),))
    assert SECRET not in repr((subject, Change(SECRET.encode())))


def test_a_refusal_has_a_status() -> None:
    assert Deny("no").status == 403


def test_one_method_makes_a_filter_and_not_one_of_streams() -> None:
    assert not isinstance(Plain(), StreamFilter)
