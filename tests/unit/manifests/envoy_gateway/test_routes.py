from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.envoyconf.upstreams import Destination, Share
from extproc.manifests.envoy_gateway import routes
from extproc.manifests.envoy_gateway.objects import Place

PLACE = Place("loop", "agents")
ONE = (Share("agent/a", 1, "a.example.com:8080"),)
MANY = (Share("agent/a", 1, None),)


def url_rewrite(destination: Destination, **options: Any) -> Any:
    return routes.rewrite(destination, "x", PLACE, **options)["spec"]["urlRewrite"]


def test_a_host_is_called_by_its_name_and_port() -> None:
    assert url_rewrite(Destination(ONE)) == {
        "hostname": {
            "type": "PathRegex",
            "pathRegex": {"pattern": "^.*$", "substitution": "a.example.com:8080"},
        }
    }


def test_several_hosts_are_called_by_their_own() -> None:
    assert url_rewrite(Destination(MANY)) == {"hostname": {"type": "Backend"}}


def test_a_path_goes_before_the_clients() -> None:
    destination = Destination(ONE, path_prefix="/base")
    assert url_rewrite(destination)["path"] == {
        "type": "ReplaceRegexMatch",
        "replaceRegexMatch": {"pattern": "^/", "substitution": "/base/"},
    }
    assert "path" not in url_rewrite(destination, path=False)


def test_more_headers_are_the_closer_match() -> None:
    assert routes.conversation("/v1/messages") == {
        "path": {"type": "Exact", "value": "/v1/messages"},
        "method": "POST",
    }
    header = routes.header_is("x", "y")
    assert routes.conversation("/v1/messages", header)["headers"] == [
        {"type": "Exact", "name": "x", "value": "y"}
    ]
    assert routes.below("/") == {"path": {"type": "PathPrefix", "value": "/"}}
    assert routes.below("/", header)["headers"] == [header]


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (routes.nowhere("x", PLACE)["spec"]["directResponse"], 503, "no_route"),
        (routes.replaced(413, "request_too_large")["response"], 413, "request_too_large"),
        (routes.replaced(507, "processor_unavailable")["response"], 503, "processor_unavailable"),
    ],
)
def test_errors_have_the_shape_of_the_contract(found: Any, status: int, code: str) -> None:
    assert (found["statusCode"], found["contentType"]) == (status, "application/json")
    assert found["header"] == {"set": [{"name": "x-outerloop-error", "value": code}]}
    body = found["body"]["inline"]
    # Envoy reads it as a format.
    assert "%" not in body
    assert json.loads(body)["error"]["code"] == code


def test_only_envoys_own_answers_are_replaced() -> None:
    override = routes.replaced(507, "processor_unavailable")
    assert override["source"] == "Local"
    assert override["match"] == {"statusCodes": [{"type": "Value", "value": 507}]}


def test_a_route_hangs_on_one_listener() -> None:
    parent = routes.listener_of("loop", "desk")
    document = routes.http_route("x", parent, [{"matches": []}], PLACE)
    assert document["spec"] == {
        "parentRefs": [{"name": "loop", "sectionName": "desk"}],
        "rules": [{"matches": []}],
    }
