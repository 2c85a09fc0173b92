from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc import names
from extproc.manifests.envoy_gateway.credentials import injections
from extproc.manifests.envoy_gateway.objects import Place
from extproc.manifests.source import Source, Unrenderable
from extproc.manifests.variables import Variables

PLACE = Place("loop", "agents")
URL = "http://10.0.0.1"
Make = Callable[..., Source]


def test_a_key_goes_where_each_api_has_it(make_source: Make) -> None:
    source = make_source({"id": "a", "url": URL, "access_key": "$KEY"}, environ={"KEY": "sesame"})
    (agent,) = source.config.agents
    bearer, key = injections(agent, PLACE, Variables.of(source))
    assert (bearer.header, bearer.paths) == (
        "authorization",
        ("/v1/chat/completions", "/v1/responses"),
    )
    assert (key.header, key.paths) == ("x-api-key", ("/v1/messages",))
    document = bearer.document(PLACE)
    assert document["spec"] == {
        "credentialInjection": {
            "header": "authorization",
            "overwrite": True,
            "credential": {"valueRef": {"kind": "Secret", "name": "loop-bearer-a"}},
        }
    }
    assert bearer.reference() == {
        "type": "ExtensionRef",
        "extensionRef": {
            "group": "gateway.envoyproxy.io",
            "kind": "HTTPRouteFilter",
            "name": "loop-bearer-a",
        },
    }


@pytest.mark.parametrize(
    ("value", "from_variable"),
    [("$TOKEN", True), ("Bearer ${TOKEN}", True), ("$$TOKEN", False), ("a$$b$TOKEN", True)],
)
def test_a_header_with_a_variable_is_a_secret(
    make_source: Make, value: str, from_variable: bool
) -> None:
    agent = {"id": "a", "url": URL, "headers": {"X-Token": value, "x-plain": "b"}}
    source = make_source(agent, environ={"TOKEN": "sesame"})
    variables = Variables.of(source)
    (found,) = source.config.agents
    assert variables.among(found) == (("x-token",) if from_variable else ())
    injected = injections(found, PLACE, variables)
    assert [(each.header, each.paths) for each in injected] == (
        [("x-token", names.PATHS)] if from_variable else []
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"access_key": "$KEY", "headers": {"x-token": "$TOKEN"}},
        {"headers": {"x-token": "$TOKEN", "x-other": "$KEY"}},
    ],
)
def test_two_headers_from_secrets_are_too_many(make_source: Make, keys: dict[str, object]) -> None:
    source = make_source({"id": "a", "url": URL, **keys}, environ={"KEY": "k", "TOKEN": "t"})
    with pytest.raises(Unrenderable, match=r"agents\[a\].*x-token.*one header") as caught:
        injections(source.config.agents[0], PLACE, Variables.of(source))
    assert "agents[a]" in str(caught.value)
