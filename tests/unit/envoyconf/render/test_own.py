from __future__ import annotations

from typing import Any

from extproc.config.model.deploy import OwnEnvoy
from extproc.envoyconf.render.own import NOTHING, put_in
from extproc.envoyconf.resources.http_filters import SLOT_AFTER, SLOT_BEFORE

CORS: dict[str, Any] = {"name": "cors", "typed_config": {"@type": "c"}}
JWT: dict[str, Any] = {
    "name": "jwt",
    "typed_config": {"@type": "j", "providers": {"http_filters": {}}},
}
LIMIT: dict[str, Any] = {"name": "limit", "typed_config": {"@type": "l"}}
OWN = OwnEnvoy.model_validate(
    {
        "http_filters": {"before_decision": [CORS, JWT], "after_decision": [LIMIT]},
        "per_route": {"cors": {"@type": "p"}},
    }
)


def chain() -> dict[str, Any]:
    names = ("first", SLOT_BEFORE, "decide", SLOT_AFTER, "router")
    return {"filter_chains": [{"manager": {"http_filters": [{"name": name} for name in names]}}]}


def filters_of(listener: dict[str, Any]) -> list[str]:
    return [each["name"] for each in listener["filter_chains"][0]["manager"]["http_filters"]]


def test_filters_stand_in_their_slots_in_the_order_written() -> None:
    filled = put_in(chain(), OWN)
    assert filters_of(filled) == ["first", "cors", "jwt", "decide", "limit", "router"]
    assert filled["filter_chains"][0]["manager"]["http_filters"][1] == CORS


def test_empty_slots_leave_nothing() -> None:
    assert filters_of(put_in(chain(), NOTHING)) == ["first", "decide", "router"]


def test_settings_per_route_are_those_of_clients_routes_alone() -> None:
    ours = {"name": "agents", "typed_per_filter_config": {"mine": {}}}
    egress = {"name": "outerloop.egress"}
    filled = put_in({"virtual_hosts": [ours, egress]}, OWN)
    assert filled["virtual_hosts"] == [
        {"name": "agents", "typed_per_filter_config": {"mine": {}, "cors": {"@type": "p"}}},
        egress,
    ]
