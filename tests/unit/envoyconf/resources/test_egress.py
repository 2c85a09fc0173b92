from __future__ import annotations

from typing import Any

from extproc.address import PipeAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.resources.bootstrap import bootstrap

CONFIG = {
    "version": "v1",
    "agents": [{"id": "a", "url": "http://a"}],
    "listeners": [{"name": "l", "port": 0, "agents": [{"id": "a"}]}],
    "orchestrator": {"model": {"url": "https://host/v1", "name": "m", "access_key": "sk-secret"}},
}


def rendered(*, egress: bool) -> dict[str, Any]:
    topology = build(
        Config.model_validate(CONFIG),
        Places(
            (PipeAddress("/w.sock"),),
            PipeAddress("/e.sock"),
            PipeAddress("/out.sock") if egress else None,
        ),
        system_ca="/ca.pem",
    )
    return dict(bootstrap(topology).to_dict(casing=str))  # type: ignore[arg-type] # as render does


def manager(listener: dict[str, Any]) -> dict[str, Any]:
    [network_filter] = listener["filter_chains"][0]["filters"]
    return dict(network_filter["typed_config"])


def test_targets_have_a_route_and_a_cluster_with_tls() -> None:
    resources = rendered(egress=True)["static_resources"]
    [listener] = [each for each in resources["listeners"] if each["name"] == "outerloop.egress"]
    assert listener["address"] == {"pipe": {"path": "/out.sock"}}
    [host] = manager(listener)["route_config"]["virtual_hosts"]
    route, to_agent = host["routes"]
    assert to_agent["route"]["cluster"] == "agent/a"
    assert to_agent["match"]["headers"][0]["string_match"] == {"exact": "agent/a"}
    assert route["match"]["headers"][0]["name"] == "x-outerloop-target"
    assert route["route"]["cluster"] == "target/model"
    assert route["route"]["host_rewrite_literal"] == "host"
    assert host["request_headers_to_remove"] == ["x-outerloop-target"]
    [cluster] = [each for each in resources["clusters"] if each["name"] == "target/model"]
    assert cluster["transport_socket"]["typed_config"]["sni"] == "host"


def test_nothing_loops_and_nothing_is_logged() -> None:
    listeners = rendered(egress=True)["static_resources"]["listeners"]
    [listener] = [each for each in listeners if each["name"] == "outerloop.egress"]
    buffer, model, tokens, router = manager(listener)["http_filters"]
    # Off but where a route switches them on: nothing is decided here.
    assert (buffer["name"], buffer["disabled"]) == ("envoy.filters.http.buffer", True)
    assert (model["name"], router["name"]) == ("outerloop.model", "envoy.filters.http.router")
    assert tokens["name"] == "outerloop.tokens"
    mode = model["typed_config"]["processing_mode"]
    assert set(mode.values()) == {"SKIP"}
    names = {log["name"] for log in manager(listener)["access_log"]}
    assert names == {"envoy.access_loggers.stats"}


def test_the_callers_deadline_is_the_only_one() -> None:
    listeners = rendered(egress=True)["static_resources"]["listeners"]
    [listener] = [each for each in listeners if each["name"] == "outerloop.egress"]
    assert manager(listener)["stream_idle_timeout"] == "0s"
    [host] = manager(listener)["route_config"]["virtual_hosts"]
    assert host["routes"][0]["route"]["timeout"] == "0s"


def test_without_an_egress_address_the_processor_finds_its_own_way() -> None:
    resources = rendered(egress=False)["static_resources"]
    assert [each["name"] for each in resources["listeners"]] == ["l"]
    assert "target/model" not in [each["name"] for each in resources["clusters"]]


def test_keys_of_targets_are_not_rendered() -> None:
    assert "sk-secret" not in str(rendered(egress=True))


def test_an_answer_that_was_cut_is_seen_at_once() -> None:
    listeners = rendered(egress=True)["static_resources"]["listeners"]
    [listener] = [each for each in listeners if each["name"] == "outerloop.egress"]
    assert manager(listener)["delayed_close_timeout"] == "0s"


def test_draining_leaves_it_open() -> None:
    listeners = rendered(egress=True)["static_resources"]["listeners"]
    directions = {each["name"]: each["traffic_direction"] for each in listeners}
    assert directions == {"l": "INBOUND", "outerloop.egress": "OUTBOUND"}
