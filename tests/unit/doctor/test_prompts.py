from __future__ import annotations

from collections.abc import Callable
from typing import Any

from extproc.doctor.probe import Session


async def test_no_answer_is_asked_for_twice(visit: Callable[..., Session], gateway: Any) -> None:
    session = visit(gateway)
    first = await session.prompts.explicit("flights")
    assert await session.prompts.explicit("flights") is first
    assert (session.prompts.sent, session.client.sent) == (1, 1)


async def test_each_kind_of_prompt(visit: Callable[..., Session], gateway: Any) -> None:
    session = visit(gateway)
    await session.prompts.undirected("ping 1")
    await session.prompts.spoofed("weather", [("x-outerloop-agent", "flights")])
    await session.prompts.streamed("weather")
    client: Any = session.client
    undirected, spoofed, streamed = client.asked
    assert "model" not in undirected.document
    assert spoofed.document["model"] == "weather"
    assert spoofed.header("x-outerloop-agent") == "flights"
    assert streamed.document["stream"] is True
    assert session.prompts.sent == 3
