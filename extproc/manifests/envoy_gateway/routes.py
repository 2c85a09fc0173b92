"""HTTPRoutes and the filters they refer to, whatever they lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from extproc import names
from extproc.apis.errors import error_body
from extproc.envoyconf.upstreams import Destination
from extproc.errors import GATEWAY_ERRORS, Reject
from extproc.manifests.envoy_gateway.objects import Place, refer
from extproc.manifests.source import Document


def http_route(
    name: str, parent: Mapping[str, str], rules: Iterable[Mapping[str, Any]], place: Place
) -> Document:
    """Return a route of one listener; `parent` is what `listener_of` returns."""
    return place.document("HTTPRoute", name, {"parentRefs": [dict(parent)], "rules": list(rules)})


def listener_of(gateway: str, section: str) -> dict[str, str]:
    """Return what a route hangs on."""
    return {"name": gateway, "sectionName": section}


def conversation(path: str, *headers: Mapping[str, str]) -> dict[str, Any]:
    """Return a match of requests that can be a conversation.

    Of two that match, the one with more headers counts, the method being one.
    """
    found: dict[str, Any] = {"path": {"type": "Exact", "value": path}, "method": "POST"}
    return {**found, "headers": list(headers)} if headers else found


def header_is(name: str, value: str) -> dict[str, str]:
    """Return the match of one header."""
    return {"type": "Exact", "name": name, "value": value}


def below(path: str, *headers: Mapping[str, str]) -> dict[str, Any]:
    """Return a match of a path and all below it."""
    found: dict[str, Any] = {"path": {"type": "PathPrefix", "value": path}}
    return {**found, "headers": list(headers)} if headers else found


def rewrite(destination: Destination, name: str, place: Place, *, path: bool = True) -> Document:
    """Return the filter that calls a destination by its own host, and its path where it has one.

    The Gateway API's own rewriting knows no ports, and no path but those that end in a prefix.
    """
    hostname: dict[str, Any] = {"type": "Backend"}
    if not destination.own_authorities:
        literal = {"pattern": "^.*$", "substitution": destination.shares[0].authority}
        hostname = {"type": "PathRegex", "pathRegex": literal}
    rewriting: dict[str, Any] = {"hostname": hostname}
    if path and destination.path_prefix:
        prefix = {"pattern": "^/", "substitution": f"{destination.path_prefix}/"}
        rewriting["path"] = {"type": "ReplaceRegexMatch", "replaceRegexMatch": prefix}
    return place.document("HTTPRouteFilter", name, {"urlRewrite": rewriting})


def nowhere(name: str, place: Place) -> Document:
    """Return the filter that answers what has no route: nothing reaches an agent undecided."""
    code = "no_route"
    spec = {"statusCode": GATEWAY_ERRORS[code].status, **_content(code)}
    return place.document("HTTPRouteFilter", name, {"directResponse": spec})


def replaced(status: int, code: str) -> dict[str, Any]:
    """Return the override of what Envoy itself answers with `status` by an error of ours."""
    return {
        "source": "Local",
        "match": {"statusCodes": [{"type": "Value", "value": status}]},
        "response": {"statusCode": GATEWAY_ERRORS[code].status, **_content(code)},
    }


def referred(name: str) -> dict[str, Any]:
    """Return the filter of a rule that refers to an HTTPRouteFilter."""
    return {"type": "ExtensionRef", "extensionRef": refer("HTTPRouteFilter", name)}


def _content(code: str) -> dict[str, Any]:
    error = GATEWAY_ERRORS[code]
    body = error_body(names.PATH_CHAT, Reject(error.status, code, error.message)).decode()
    return {
        "contentType": "application/json",
        "header": {"set": [{"name": names.HEADER_ERROR, "value": code}]},
        "body": {"type": "Inline", "inline": body},
    }
