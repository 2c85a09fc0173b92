from __future__ import annotations

import json

import pytest

from extproc.apis.api import decode
from extproc.config.model.root import Limits
from extproc.doctor.requests import BROKEN, Filler, count, ping
from extproc.errors import InvalidRequest

CHAT = "/v1/chat/completions"


def test_prompts_are_conversations_with_short_answers() -> None:
    asked = decode(CHAT, ping(model="weather"), Limits())
    assert (asked.model, len(asked.messages), asked.stream) == ("weather", 1, False)
    assert json.loads(asked.document.body)["max_tokens"] == 1
    assert decode(CHAT, ping("ping 2"), Limits()).model is None
    streamed = decode(CHAT, count("flights"), Limits())
    assert (streamed.model, streamed.stream) == ("flights", True)


async def content(filler: Filler) -> bytes:
    return b"".join([piece async for piece in filler.pieces()])


@pytest.mark.parametrize("size", [1, 43, 44, 70_000, 2**20])
async def test_a_filler_is_refused_whatever_its_size(size: int) -> None:
    body = await content(Filler(size))
    assert len(body) == size
    for broken in (body, BROKEN):
        with pytest.raises(InvalidRequest, match="not valid JSON"):
            decode(CHAT, broken, Limits())
