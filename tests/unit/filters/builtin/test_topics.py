from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from extproc.conversation import Api
from extproc.filters.api import KEEP, Deny, Keep, Phase, Subject
from extproc.filters.builtin.topics import Topics

TOPICS = [
    {
        "id": "orders",
        "description": "Order status, shipping, delivery and tracking of parcels.",
        "examples": ["where is my order", "when will my parcel arrive", "track my shipment"],
    },
    {
        "id": "refunds",
        "description": "Returns, refunds and money back for items that were bought.",
        "examples": ["I want my money back", "how do I return this", "refund my purchase"],
    },
]
ORDER, REFUND, POEM = "track my parcel", "I want my money back", "write a poem about the sea"
NOT_ALLOWED = "this is none of the topics that are answered here"
ON_ORDERS = Keep((("topics", "orders"),), "orders")
ON_REFUNDS = Keep((("topics", "refunds"),), "refunds")


def chat(*texts: str) -> Subject:
    messages: list[dict[str, str]] = []
    for text in texts:
        messages += ({"role": "user", "content": text}, {"role": "assistant", "content": "ok"})
    return Subject(Phase.INPUT, Api.CHAT, json.dumps({"messages": messages[:-1]}).encode())


def topics(**options: Any) -> Topics:
    return Topics(Topics.Options.model_validate({"topics": TOPICS} | options))


@pytest.mark.parametrize(
    ("options", "text", "verdict"),
    [
        ({"allow": ["orders"]}, ORDER, ON_ORDERS),
        ({"allow": ["orders"]}, REFUND, Deny(NOT_ALLOWED, 403, "refunds")),
        ({"allow": ["orders"]}, POEM, Deny(NOT_ALLOWED, 403, "unknown")),
        ({"allow": ["orders"]}, "hello!", KEEP),
        ({"allow": ["orders"], "unknown": "allow"}, POEM, KEEP),
        ({"deny": ["refunds"]}, ORDER, ON_ORDERS),
        ({"deny": ["refunds"]}, REFUND, Deny("this topic is not answered here", 403, "refunds")),
        ({"deny": ["refunds"]}, POEM, KEEP),
        ({"deny": ["refunds"], "unknown": "deny"}, POEM, Deny(NOT_ALLOWED, 403, "unknown")),
        ({"allow": ["orders"], "status": 422, "message": "no"}, POEM, Deny("no", 422, "unknown")),
        (
            {"allow": ["orders"], "action": "tag"},
            REFUND,
            Keep((("topics", "refunds"), ("off-topic", "refunds")), "refunds"),
        ),
        (
            {"allow": ["orders"], "action": "tag"},
            POEM,
            Keep((("off-topic", "unknown"),), "unknown"),
        ),
        ({"deny": ["refunds"], "action": "tag"}, ORDER, ON_ORDERS),
    ],
)
async def test_verdicts(options: Any, text: str, verdict: object) -> None:
    assert await topics(**options).apply(chat(text)) == verdict


async def test_a_request_on_two_topics_is_refused_for_one_of_them() -> None:
    both = chat("track my parcel, and then give me my money back for the shirt")
    for options in ({"allow": ["orders"]}, {"deny": ["refunds"]}):
        verdict = await topics(**options).apply(both)
        assert isinstance(verdict, Deny)
        assert verdict.note == "orders, refunds"
    tagged = await topics(allow=["orders"], action="tag").apply(both)
    assert tagged == Keep(
        (("topics", "orders,refunds"), ("off-topic", "refunds")), "orders, refunds"
    )


async def test_follow_ups_pass_and_another_matter_does_not() -> None:
    allowing = topics(allow=["orders"])
    assert await allowing.apply(chat(ORDER, "and tomorrow?")) == ON_ORDERS
    assert isinstance(await allowing.apply(chat(ORDER, POEM)), Deny)


async def test_a_list_may_hold_all_topics() -> None:
    assert await topics(allow=["orders", "refunds"]).apply(chat(REFUND)) == ON_REFUNDS


async def test_one_topic_is_enough() -> None:
    single = topics(topics=TOPICS[1:], deny=["refunds"])
    assert isinstance(await single.apply(chat(REFUND)), Deny)
    assert await single.apply(chat(POEM)) == KEEP


async def test_a_large_body_is_judged_too() -> None:
    large = chat("x" * 300_000, POEM)
    assert isinstance(await topics(allow=["orders"]).apply(large), Deny)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "must have either allow or deny"),
        ({"allow": ["orders"], "deny": ["refunds"]}, "must have either allow or deny"),
        ({"allow": ["order"]}, "allow and deny must name ids of topics"),
        ({"deny": ["order"]}, "allow and deny must name ids of topics"),
        ({"topics": [], "deny": ["orders"]}, "at least 1 item"),
        ({"topics": TOPICS * 2, "deny": ["orders"]}, "topics must have ids that differ"),
        ({"topics": [{"id": "a b", "description": "c"}], "deny": ["a"]}, "letters, digits"),
        ({"topics": [{"id": "a", "description": ""}], "deny": ["a"]}, "at least 1 character"),
        ({"deny": ["orders"], "status": 200}, "greater than or equal to 400"),
        ({"deny": ["orders"], "threshold": 1}, "Extra inputs"),
    ],
)
def test_options_are_checked(options: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Topics.Options.model_validate({"topics": TOPICS} | options)


def test_options_are_checked_without_numpy() -> None:
    code = (
        "import sys; from extproc.filters.builtin.topics import Topics;"
        "Topics.Options(topics=({'id': 'a', 'description': 'b'},), deny=('a',));"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
