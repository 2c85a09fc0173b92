from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError

from extproc.config.messages import in_words, locate
from extproc.config.yaml_source import parse


def test_single_values_are_explained_where_they_stand(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents:
  - id: ►a b
    url: ►ftp://h
    enabled: ►maybe
    timeout: ►5 minutes
    retries: {num_retries: ►1.5, retry_on: [5xx, 503, ►sometimes]}
    circuit_breaker: {max_requests: ►0}
    tls:►
    headers: {►"a b": x, ok: ►1}
    load_balancing: ►round-robin
    ►urls: http://h
  - ►url: http://h
  - ►text
listeners:
  - name: ►5
    port: ►70000
    decision_timeout: ►0s
    agents: ►[]
  - {name: m, port: ►eighty, agents: ►{id: a}}
limits: {max_request_bytes: ►2GiB, max_json_depth: ►x}
tracing: {random_sampling: ►lots}
►lisener: {}
""",
        "agents[0].id: must be 1 to 64 letters",
        "must be a URL that begins with http:// or https://",
        "must be true or false",
        "must be a number with a unit, such as 250ms",
        "must be a whole number",
        "must be a status of 400 to 599 or one of 5xx",
        "must be at least 1",
        "must be a mapping of keys; leave the key out for the defaults",
        "must be an HTTP header name",
        "agents[0].headers.ok: must be text; put it in quotes",
        "must be one of 'round_robin', 'least_request', 'random', 'ring_hash' or 'maglev' "
        "(did you mean 'round_robin'?)",
        "agents[0]: unknown key 'urls' (did you mean 'url'?)",
        "agents[1]: the key 'id' is missing",
        "agents[2]: must be a mapping of keys",
        "listeners[0].name: must be text; put it in quotes",
        "listeners[0].port: must be at most 65535",
        "must be between 1ms and 8760h",
        "listeners[0].agents: must have at least one entry",
        "listeners[1].port: must be a whole number",
        "listeners[1].agents: must be a list",
        "must be between 1B and 1GiB",
        "must be a whole number",
        "must be a number",
        "unknown key 'lisener' (did you mean 'listeners'?)",
    )


def test_what_is_missing_is_named(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        "►►version: v1\n", "the key 'agents' is missing", "the key 'listeners' is missing"
    )


@pytest.mark.parametrize("value", ["SECRET", "http://user:SECRET@h", "http://h/?key=SECRET"])
def test_values_of_the_environment_are_not_shown(
    expect_errors: Callable[..., None], value: str
) -> None:
    text = "agents: [{id: ►$V, url: ►$V, load_balancing: ►$V, timeout: ►$V}]\n"
    with pytest.raises(AssertionError) as shown:
        expect_errors("version: v1\n" + text, environ={"V": value})
    assert "SECRET" not in str(shown.value)


def test_the_deepest_value_on_the_way_is_located() -> None:
    tree = parse("a: [{b: 1}]\n", "f")
    location, node = locate(tree, ("a", 0, "b", "str"))
    assert (location, node.value) == (("a", 0, "b"), 1)
    assert locate(tree, ("a", 7))[0] == ("a",)


class Options(BaseModel, extra="forbid"):
    action: Literal["mask", "deny"]
    size: int = 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["the key 'action' is missing"]),
        ({"action": "mask", "sice": 1}, ["unknown key 'sice' (did you mean 'size'?)"]),
        (
            {"action": "x", "size": "y"},
            ["must be one of 'mask' or 'deny'", "must be a whole number"],
        ),
    ],
)
def test_what_pydantic_found_elsewhere(given: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ValidationError) as failed:
        Options.model_validate(given)
    found = failed.value.errors(include_url=False)
    assert [in_words(each, Options.model_fields) for each in found] == words
