from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from extproc.conversation import Api
from extproc.filters.api import Change, Phase, Subject
from extproc.filters.builtin.reading import read
from extproc.filters.builtin.rewrite import Rewrite

USER = {"role": "user", "content": "hi"}


async def rewrite(api: Api, body: bytes, **options: Any) -> bytes:
    made = Rewrite(Rewrite.Options.model_validate({"system": "Be kind."} | options))
    verdict = await made.apply(Subject(Phase.INPUT, api, body))
    assert isinstance(verdict, Change)
    return verdict.body


async def test_by_default_it_is_appended() -> None:
    body = b'{"n":1.0, "messages":[{"role":"system","content":"\\u00e9"},{"role":"user"}]}'
    assert await rewrite(Api.CHAT, body) == body.replace(b'\\u00e9"', b'\\u00e9\\n\\nBe kind."')


@pytest.mark.parametrize(
    ("api", "body", "position", "expected"),
    [
        (Api.CHAT, b'{"messages":[{"role":"user"}]}', "replace",
         b'{"messages":[{"role": "system", "content": "Be kind."},{"role":"user"}]}'),
        (Api.MESSAGES, b'{"system" : "a", "messages":[{"role":"user"}]}', "prepend",
         b'{"system" : "Be kind.\\n\\na", "messages":[{"role":"user"}]}'),
        (Api.RESPONSES, b'{"input":"hi","instructions":"a"}', "replace",
         b'{"input":"hi","instructions":"Be kind."}'),
    ],
)  # fmt: skip
async def test_each_api(api: Api, body: bytes, position: str, expected: bytes) -> None:
    assert await rewrite(api, body, position=position) == expected


async def test_a_large_body_is_rewritten_too() -> None:
    body = json.dumps({"system": "x" * 300_000, "messages": [USER]}).encode()
    rewritten = json.loads(await rewrite(Api.MESSAGES, body, position="replace"))
    assert rewritten == {"system": "Be kind.", "messages": [USER]}


ENTRIES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant"]),
        "content": st.none()
        | st.text(max_size=3)
        | st.lists(st.just({"type": "text", "text": "é"}), max_size=2),
    },
)


@given(
    st.sampled_from(Api),
    st.lists(ENTRIES, min_size=1, max_size=6),
    st.sampled_from(["append", "prepend", "replace"]),
    st.sampled_from([None, (" ,\n", " : ")]),
)
async def test_what_others_say_stays(
    api: Api, entries: list[Any], position: str, separators: tuple[str, str] | None
) -> None:
    name = "input" if api is Api.RESPONSES else "messages"
    body = json.dumps({name: entries, "n": 1.0}, separators=separators).encode()
    after = await rewrite(api, body, position=position)
    read(Subject(Phase.INPUT, api, after))
    systems = ("system", "developer")
    others = [entry for entry in entries if entry["role"] not in systems]
    left = [entry for entry in json.loads(after)[name] if entry["role"] not in systems]
    assert left == others
    assert after.count(b"Be kind.") == 1


@pytest.mark.parametrize("options", [{"system": ""}, {"position": "above"}, {"user": "x"}])
def test_options_are_checked(options: Any) -> None:
    with pytest.raises(ValidationError):
        Rewrite.Options.model_validate({"system": "a"} | options)
