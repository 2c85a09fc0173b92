from __future__ import annotations

import yaml
from envoy_data_plane.envoy.config.route import v3 as route

from extproc.envoyconf.render.text import as_json, as_yaml


def test_messages_are_spelled_as_envoy_reads_them() -> None:
    policy = route.RetryPolicy(retry_on="5xx", num_retries=2)
    assert as_json(policy) == {"retry_on": "5xx", "num_retries": 2}


def test_yaml_keeps_the_order_and_repeats_what_stands_twice() -> None:
    shared = {"b": 1, "a": [1, 2]}
    text = as_yaml({"second": shared, "first": (shared,), "text": "one\ntwo\n"})
    assert "&" not in text
    assert text.index("second") < text.index("first")
    assert "text: |\n  one\n  two\n" in text
    assert yaml.safe_load(text)["first"] == [shared]
