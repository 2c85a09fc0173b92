from __future__ import annotations

import json
from typing import Any

import pytest
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel import v3 as cel
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from extproc.envoyconf.resources.headers import header_option
from extproc.envoyconf.resources.local_replies import local_reply_config
from extproc.errors import GATEWAY_ERRORS, GatewayError

MAPPERS = local_reply_config().mappers
OF_AN_AGENT = {
    "no_healthy_upstream",
    "upstream_unreachable",
    "upstream_reset",
    "overloaded",
    "bad_upstream",
    "upstream_timeout",
}


def condition(mapper: hcm.ResponseMapper) -> str:
    assert mapper.filter is not None
    extension = mapper.filter.extension_filter
    assert extension is not None
    assert extension.typed_config is not None
    config = extension.typed_config.unpack()
    assert isinstance(config, cel.ExpressionFilter)
    return config.expression


def body(mapper: hcm.ResponseMapper) -> dict[str, Any]:
    override = mapper.body_format_override
    assert override is not None
    assert override.content_type == "application/json"
    assert override.text_format_source is not None
    text = override.text_format_source.inline_string
    assert text is not None
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def mappers_of(code: str) -> list[hcm.ResponseMapper]:
    header = header_option("x-outerloop-error", code)
    return [mapper for mapper in MAPPERS if mapper.headers_to_add == [header]]


@pytest.mark.parametrize("error", GATEWAY_ERRORS.values(), ids=lambda error: error.code)
def test_each_error_has_its_status_and_body_in_both_shapes(error: GatewayError) -> None:
    anthropic, openai = mappers_of(error.code)
    assert anthropic.status_code == openai.status_code == error.status
    assert body(anthropic)["type"] == "error"
    assert "type" not in body(openai)
    for mapper in (anthropic, openai):
        told = body(mapper)["error"]
        assert told["code"] == error.code
        assert told["message"] == error.message
        expected = "%REQ(x-outerloop-agent)%" if error.code in OF_AN_AGENT else None
        assert told.get("agent") == expected


@pytest.mark.parametrize("code", GATEWAY_ERRORS)
def test_the_anthropic_shape_is_for_its_path_and_comes_first(code: str) -> None:
    anthropic, openai = mappers_of(code)
    assert condition(anthropic).startswith(f"({condition(openai)}) && request.url_path")


def test_no_error_is_recognised_by_its_status_alone() -> None:
    # The processor's own answers have the same statuses.
    assert all("response.code_details" in condition(mapper) for mapper in MAPPERS)


def test_the_particular_comes_before_the_general() -> None:
    order = [mapper.headers_to_add[0] for mapper in MAPPERS]

    def position(code: str) -> int:
        return order.index(header_option("x-outerloop-error", code))

    assert position("decision_timeout") < position("processor_unavailable")
    for code in ("overloaded", "upstream_unreachable", "bad_upstream"):
        assert position(code) < position("upstream_reset")
    assert position("request_timeout") < position("upstream_timeout")
    assert position("headers_too_large") < position("bad_request")


def test_other_answers_pass_as_they_are() -> None:
    assert local_reply_config().body_format is None
