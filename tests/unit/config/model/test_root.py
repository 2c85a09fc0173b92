from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from extproc.config.model.root import Config
from extproc.config.schema import sections

LEAST: dict[str, Any] = {
    "version": "v1",
    "agents": [{"id": "a", "url": "http://h"}],
    "listeners": [{"name": "l", "port": 1, "agents": [{"id": "a"}]}],
}


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config.model_validate(LEAST)
    assert config.limits.max_request_bytes == config.limits.max_response_bytes == 32 * 2**20
    assert (config.limits.max_conversation_messages, config.limits.max_json_depth) == (2000, 100)
    assert (config.limits.max_connections, config.limits.decompress) == (50_000, ())
    assert (config.observability.response_headers, config.observability.access_log) == (
        "basic",
        "stdout",
    )
    assert (config.admin.address, config.admin.port) == ("127.0.0.1", 9902)
    assert (config.egress.url, config.tracing.otlp_endpoint) == (None, None)


def test_every_key_is_described() -> None:
    bare = [
        f"{key}.{name}"
        for key, section in sections()
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert bare == []


@pytest.mark.parametrize(
    "keys",
    [
        {"agents": []},
        {"listeners": []},
        {"version": "v2"},
        {"limits": {"max_request_bytes": "2GiB"}},
        {"limits": {"decompress": ["rot13"]}},
        {"observability": {"access_log": ""}},
        {"admin": {"address": "nowhere"}},
        {"egress": {"url": "h:80"}},
        {"tracing": {"random_sampling": 101}},
    ],
)
def test_values_without_a_meaning_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(LEAST | keys)
