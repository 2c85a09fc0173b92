"""The user's own parts of the Envoy configuration, put in as they are written.

They are of types that we need not know: only Envoy does, and it refuses what is wrong.
"""

from __future__ import annotations

from typing import Any, Final

from extproc.config.model.deploy import OwnEnvoy
from extproc.envoyconf.resources.http_filters import SLOT_AFTER, SLOT_BEFORE
from extproc.envoyconf.resources.routes import VIRTUAL_HOST

NOTHING: Final = OwnEnvoy()

_FILTERS: Final = "http_filters"
_HOSTS: Final = "virtual_hosts"
_PER_ROUTE: Final = "typed_per_filter_config"


def put_in(value: Any, own: OwnEnvoy) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a resource, or any part of one, with the slots of its filter chains filled."""
    if isinstance(value, list):
        return [put_in(each, own) for each in value]
    if not isinstance(value, dict):
        return value
    filled = {key: put_in(inner, own) for key, inner in value.items()}
    if _FILTERS in filled:
        filled[_FILTERS] = _filters(filled[_FILTERS], own)
    if own.per_route and _HOSTS in filled:
        filled[_HOSTS] = [_host(each, own) for each in filled[_HOSTS]]
    return filled


def _filters(filters: list[dict[str, Any]], own: OwnEnvoy) -> list[dict[str, Any]]:
    slots = {
        SLOT_BEFORE: own.http_filters.before_decision,
        SLOT_AFTER: own.http_filters.after_decision,
    }
    return [each for filter_ in filters for each in slots.get(filter_.get("name", ""), (filter_,))]


def _host(host: dict[str, Any], own: OwnEnvoy) -> dict[str, Any]:
    if host.get("name") != VIRTUAL_HOST:
        return host
    return {**host, _PER_ROUTE: {**host.get(_PER_ROUTE, {}), **own.per_route}}
