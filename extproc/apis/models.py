"""The agents of a listener as a list of models, so that any client can show them."""

from __future__ import annotations

import json
from collections.abc import Iterable


def models_body(agents: Iterable[tuple[str, str]]) -> bytes:
    """Render `GET /v1/models` for agents given as (id, description), in their order.

    The members are those of the OpenAI and the Anthropic listing together. Agents have no date of
    release: both APIs' dates are the epoch, so that the listing is the same for ever.
    """
    data = [
        {
            "id": agent,
            "object": "model",
            "type": "model",
            "created": 0,
            "created_at": "1970-01-01T00:00:00Z",
            "owned_by": "outerloop",
            "display_name": agent,
            "lifecycle": "active",
            "description": description,
        }
        for agent, description in agents
    ]
    ids = [entry["id"] for entry in data] or [None]
    listing = {
        "object": "list",
        "data": data,
        "has_more": False,
        "first_id": ids[0],
        "last_id": ids[-1],
    }
    return json.dumps(listing).encode()
