from __future__ import annotations

from collections.abc import Callable
from typing import Any

from extproc.envoyconf.resources.http_filters import (
    ANSWERS,
    BUFFER,
    DECIDED,
    PROCESSOR,
    SLOT_AFTER,
    SLOT_BEFORE,
)

Spec = Callable[..., Any]
ROUTER = "envoy.filters.http.router"


def patches(spec: Spec, apply_to: str, *agents: dict[str, Any], **rest: Any) -> list[Any]:
    found = spec("EnvoyFilter", "listener", *agents, **rest)["configPatches"]
    return [each for each in found if each["applyTo"] == apply_to]


def inserted(spec: Spec, **rest: Any) -> list[Any]:
    return [
        each["patch"]["value"]
        for each in patches(spec, "HTTP_FILTER", **rest)
        if each["patch"]["operation"] == "INSERT_BEFORE"
    ]


def routes(spec: Spec, *agents: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        each["match"]["routeConfiguration"]["vhost"]["route"]["name"]: each["patch"]["value"]
        for each in patches(spec, "HTTP_ROUTE", *agents, **rest)
    }


def clusters(make: Callable[..., Any], part: str, *agents: dict[str, Any], **rest: Any) -> Any:
    (found,) = (
        each["spec"]["configPatches"]
        for each in make(*agents, **rest).documents
        if each["kind"] == "EnvoyFilter" and part in each["metadata"]["name"]
    )
    return {
        each["match"]["cluster"]["name"]: each["patch"]["value"]
        for each in found
        if each["applyTo"] == "CLUSTER" and "cluster" in each["match"]
    }


def test_they_go_to_the_pods_of_the_gateway(make: Callable[..., Any]) -> None:
    found = [each for each in make().documents if each["kind"] == "EnvoyFilter"]
    assert {each["metadata"]["namespace"] for each in found} == {"istio-system"}
    for each in found:
        assert each["spec"]["workloadSelector"] == {"labels": {"istio": "ingressgateway"}}
        contexts = {patch["match"]["context"] for patch in each["spec"]["configPatches"]}
        assert contexts == {"GATEWAY"}


def test_or_to_all_sidecars_of_a_namespace(make: Callable[..., Any]) -> None:
    documents = make(deploy={"gateway_class": "clients/mesh"}).documents
    for each in (each for each in documents if each["kind"] == "EnvoyFilter"):
        assert each["metadata"]["namespace"] == "clients"
        assert "workloadSelector" not in each["spec"]
        contexts = {patch["match"]["context"] for patch in each["spec"]["configPatches"]}
        assert contexts == {"SIDECAR_OUTBOUND"}


def test_all_of_a_listener_is_about_its_port(spec: Spec) -> None:
    for patch in spec("EnvoyFilter", "listener", listener={"port": 8443})["configPatches"]:
        where = patch["match"].get("listener") or patch["match"]["routeConfiguration"]
        assert where["portNumber"] == 8443


def test_bodies_fit_and_connections_are_counted(spec: Spec) -> None:
    (limit,) = patches(spec, "LISTENER", limits={"max_request_bytes": "1MiB"})
    assert limit["patch"]["value"] == {"per_connection_buffer_limit_bytes": 2**20}
    counting, _ = patches(spec, "NETWORK_FILTER", limits={"max_connections": 7})
    assert counting["patch"]["operation"] == "INSERT_BEFORE"
    assert counting["patch"]["value"]["typed_config"]["max_connections"] == 7


def test_what_clients_forge_is_taken_away_before_routing(spec: Spec) -> None:
    _, manager = patches(spec, "NETWORK_FILTER")
    config = manager["patch"]["value"]["typed_config"]
    (mutation,) = config["early_header_mutation_extensions"]
    removing, naming = mutation["typed_config"]["mutations"]
    assert "outerloop" in str(removing["remove_on_match"])
    assert naming["append"]["header"] == {"key": "x-outerloop-listener", "value": "travel"}
    assert config["local_reply_config"]["mappers"]


def test_what_istio_settles_of_a_connection_manager_stays(spec: Spec) -> None:
    _, manager = patches(spec, "NETWORK_FILTER")
    config = set(manager["patch"]["value"]["typed_config"])
    assert not config & {"stat_prefix", "rds", "route_config", "http_filters", "access_log"}


def test_filters_go_before_the_router_in_their_order(spec: Spec) -> None:
    names = [each["name"] for each in inserted(spec)]
    assert [name for name in names if name in {BUFFER, DECIDED, PROCESSOR, ANSWERS}] == [
        BUFFER,
        DECIDED,
        PROCESSOR,
        ANSWERS,
    ]
    assert ROUTER not in names
    assert not {SLOT_BEFORE, SLOT_AFTER} & set(names)
    for patch in patches(spec, "HTTP_FILTER"):
        filter_ = patch["match"]["listener"]["filterChain"]["filter"]
        assert filter_["subFilter"] == {"name": ROUTER}


def test_own_filters_stand_in_their_slots(spec: Spec) -> None:
    slots = {"before_decision": [{"name": "mine.before"}], "after_decision": [{"name": "mine.x"}]}
    names = [each["name"] for each in inserted(spec, envoy={"http_filters": slots})]
    assert names.index("mine.before") < names.index(BUFFER)
    assert names.index(PROCESSOR) < names.index("mine.x") < names.index(ANSWERS)


def test_own_configuration_of_routes_is_the_hosts(spec: Spec) -> None:
    own = {"per_route": {"mine": {"@type": "x"}}}
    (host,) = patches(spec, "VIRTUAL_HOST", envoy=own)
    assert host["match"]["routeConfiguration"]["vhost"] == {"name": "*:8001"}
    assert host["patch"]["value"] == {"typed_per_filter_config": own["per_route"]}
    assert patches(spec, "VIRTUAL_HOST") == []


def test_routes_get_what_a_virtual_service_cannot_say(spec: Spec) -> None:
    agent = {
        "id": "a",
        "variants": [
            {"id": "b", "weight": 1, "url": "http://10.0.0.1"},
            {"id": "c", "weight": 1, "url": "http://10.0.0.2"},
        ],
        "session_affinity": {"header": "x-user"},
        "idle_timeout": "7s",
        "retries": {"num_retries": 0, "per_try_timeout": "3s"},
    }
    found = routes(spec, agent)
    assert found["agent/a"]["route"] == {
        "idle_timeout": "7s",
        "hash_policy": [{"header": {"header_name": "x-user"}}],
        "weighted_clusters": {"use_hash_policy": True},
        "retry_policy": {"num_retries": 0, "per_try_timeout": "3s"},
    }
    # All that is no conversation is refused without its body.
    disabled = found["elsewhere"]["typed_per_filter_config"][BUFFER]
    assert disabled["disabled"] is True


def test_answers_are_filtered_where_they_are_to_be(spec: Spec) -> None:
    personal = {"id": "personal", "type": "builtin", "use": "pii"}
    found = routes(spec, listener={"output_filters": ["personal"]}, filters=[personal])
    assert ANSWERS in found["agent/weather"]["typed_per_filter_config"]
    assert "typed_per_filter_config" not in routes(spec)["agent/weather"]


def test_without_the_processor_only_its_route_lets_pass(spec: Spec) -> None:
    found = routes(spec, listener={"on_unavailable": "default_agent"})
    allowed = found["unasked"]["typed_per_filter_config"][PROCESSOR]
    assert allowed["overrides"]["failure_mode_allow"] is True
    assert "unasked" not in routes(spec)


def test_watching_is_on_for_the_routes_that_are_called_so(spec: Spec) -> None:
    observed = {"mode": "observe"}
    assert {each["name"] for each in inserted(spec, listener=observed) if each.get("disabled")} == {
        BUFFER,
        DECIDED,
    }
    found = routes(spec, listener=observed)
    assert set(found) == {"travel"}
    assert set(found["travel"]["typed_per_filter_config"]) == {BUFFER, DECIDED}


def test_an_agents_cluster_gets_what_a_rule_cannot_say(make: Callable[..., Any]) -> None:
    agent = {
        "id": "a",
        "url": "https://api.example.com",
        "access_key": "$KEY",
        "headers": {"x-secret": "$TOKEN", "x-plain": "b"},
        "health_check": {"path": "/ready"},
        "http2": True,
    }
    found = clusters(make, "clusters", agent)
    value = found["outbound|80||outerloop-agent-a.default.outerloop.internal"]
    assert value["metadata"]["filter_metadata"]["outerloop"] == {"agent": "a"}
    assert value["health_checks"][0]["http_health_check"]["path"] == "/ready"
    (options,) = value["typed_extension_protocol_options"].values()
    assert "http2_protocol_options" in options["explicit_http_config"]
    text = str(options)
    assert "/etc/outerloop/secret-agent-a-key.json" in text
    assert "/etc/outerloop/secret-agent-a.header-x-secret.json" in text
    assert "x-plain" not in text
    assert set(value) == {
        "metadata",
        "health_checks",
        "ignore_health_on_host_removal",
        "typed_extension_protocol_options",
    }


def test_the_processor_s_workers_are_watched(make: Callable[..., Any]) -> None:
    value = clusters(make, "clusters")["outbound|9001||outerloop.default.svc.cluster.local"]
    (check,) = value["health_checks"]
    assert check["grpc_health_check"]["service_name"].endswith("ExternalProcessor")
    assert set(value) == {
        "per_connection_buffer_limit_bytes",
        "common_lb_config",
        "health_checks",
        # Whatever the name of the Service's port says.
        "typed_extension_protocol_options",
    }


def test_the_way_out_has_no_keys(make: Callable[..., Any]) -> None:
    agent = {"id": "a", "url": "https://api.example.com", "access_key": "$KEY"}
    egress = {"url": "http://out.istio-system:8080"}
    found = clusters(make, "egress", agent, egress=egress)
    (value,) = found.values()
    assert "credential" not in str(value)


def test_own_clusters_are_added(spec: Spec) -> None:
    own = {"clusters": [{"name": "authz", "connect_timeout": "1s"}]}
    found = spec("EnvoyFilter", "clusters", envoy=own)["configPatches"]
    added = [each["patch"]["value"] for each in found if each["patch"]["operation"] == "ADD"]
    assert added == own["clusters"]
