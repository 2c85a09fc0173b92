from __future__ import annotations

import pytest

from extproc.otlp import parse_collector


@pytest.mark.parametrize(
    ("endpoint", "url", "http"),
    [
        ("http://localhost:4317", "http://localhost:4317", False),
        ("https://collector", "https://collector", False),
        ("http://localhost:4318", "http://localhost:4318/v1/traces", True),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces", True),
        ("http://localhost:4318/otlp/v1/traces/", "http://localhost:4318/otlp/v1/traces", True),
        ("https://collector/v1/traces", "https://collector/v1/traces", True),
    ],
)
def test_the_port_or_a_path_tells_the_protocol(endpoint: str, url: str, http: bool) -> None:
    collector = parse_collector(endpoint)
    assert collector.url == url
    assert (collector.path is not None) is http
