from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.config.compat import LISTENER_KEYS, TOP_KEYS, TRACING_KEYS
from extproc.config.load import ConfigError, Loaded, loads

REST = """
agents: [{id: a, url: http://h:1}]
listeners:
  - {type: agent, name: l, port: 1, agents: [{id: a}]}
"""


def load(path: Path) -> Loaded:
    return loads(path.read_text(encoding="utf-8"), path.name, {})


def warned(loaded: Loaded) -> set[str]:
    return {warning.path for warning in loaded.warnings}


def test_files_load_and_name_what_has_no_effect(plano_files: Path) -> None:
    loaded = load(plano_files / "support_desk_v0_3.yaml")
    assert [agent.id for agent in loaded.config.agents] == ["billing_agent", "returns_agent"]
    (listener,) = loaded.config.listeners
    assert (listener.name, listener.address, listener.port) == ("support_desk", "0.0.0.0", 8101)
    assert listener.agents[0].input_filters == ("topic_guard", "query_rewriter")
    assert listener.agents[0].default
    assert warned(loaded) >= {
        "llm_providers",
        "model_aliases",
        "listeners[0].router",
        "listeners[1]",
        "listeners[2]",
        "endpoints",
        "prompt_targets",
        "system_prompt",
        "tracing.trace_arch_internal",
        "llm_providers[0].access_key",  # a variable that is not set, and need not be
    }


def test_listeners_that_are_dropped_are_named_loudly(plano_files: Path) -> None:
    warnings = load(plano_files / "support_desk_v0_3.yaml").warnings
    loud = [warning.message for warning in warnings if "NOT SERVED" in warning.message]
    assert loud == [
        "listeners[1]: a listener of type model is NOT SERVED: only those of type agent are",
        "listeners[2]: a listener of type prompt is NOT SERVED: only those of type agent are",
    ]


def test_the_model_that_decides_is_taken_over(plano_files: Path) -> None:
    path = plano_files / "orchestrator_model_v0_4.yaml"
    environ = {"ORCHESTRATOR_KEY": "key", "OTEL_ENDPOINT": "http://collector:4317"}
    loaded = loads(path.read_text(encoding="utf-8"), path.name, environ)
    orchestrator = loaded.config.orchestrator
    assert orchestrator.strategy == "model"
    assert orchestrator.model is not None
    assert (orchestrator.model.url, orchestrator.model.name) == (
        "http://localhost:8000",
        "Plano-Orchestrator",
    )
    assert orchestrator.model.access_key is not None
    assert orchestrator.model.access_key.get_secret_value() == "key"
    assert loaded.config.tracing.otlp_endpoint == "http://collector:4317"
    assert loaded.config.listeners[0].input_filters == ("mask",)
    assert warned(loaded) == {
        "filters[1].streaming",
        "model_providers[1]",
        "model_providers[1].access_key",
        "overrides.upstream_connect_timeout",
        "overrides.disable_signals",
        "listeners[0].max_retries",
        "routing",
        "routing.session_cache.url",
        "state_storage",
        "state_storage.connection_string",
        "ratelimits",
        "prompt_guards",
        "routing_preferences",
        "tracing.exporters",
        "tracing.exporters[0].api_key",
    }


def test_a_variable_of_the_model_that_decides_is_needed(plano_files: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(plano_files / "orchestrator_model_v0_4.yaml")
    assert [fault.path for fault in caught.value.faults] == [
        "model_providers[0].access_key",
        "tracing.opentracing_grpc_endpoint",
    ]


def test_the_older_name_of_the_override_works(plano_files: Path) -> None:
    loaded = load(plano_files / "local_orchestrator_v0_3.yaml")
    assert loaded.config.orchestrator.model is not None
    assert loaded.config.orchestrator.model.name == "Plano-Orchestrator"
    assert warned(loaded) == {"listeners[0].router", "model_providers[0].http_host"}


def test_a_file_without_agent_listeners_is_a_fault(plano_files: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(plano_files / "models_only_v0_3.yaml")
    assert [fault.message for fault in caught.value.faults] == [
        "the key 'agents' is missing",
        "listeners: no listener of type agent is left to serve",
    ]
    assert [w.path for w in caught.value.warnings if "NOT SERVED" in w.message] == [
        "listeners.ingress_traffic",
        "listeners.egress_traffic",
    ]


@pytest.mark.parametrize("version", ["v1", "v0.3.0", "v0.4.0"])
@pytest.mark.parametrize("key", TOP_KEYS)
def test_keys_of_plano_are_accepted_in_every_version(
    expect_warnings: Callable[..., None], version: str, key: str
) -> None:
    value = "{x: 1}" if key == "overrides" else "[1]"
    text = f"version: {version}\n►{key}: {value}\n"
    if key == "overrides":
        text = f"version: {version}\n{key}: {{►x: 1}}\n"
    expect_warnings(text + REST, "has no effect here")


@pytest.mark.parametrize("key", LISTENER_KEYS)
def test_listener_keys_without_effect(expect_warnings: Callable[..., None], key: str) -> None:
    text = REST.replace("type: agent", f"►{key}: 3")
    expect_warnings("version: v1\n" + text, f"listeners[0].{key}: has no effect here")


@pytest.mark.parametrize("key", TRACING_KEYS)
def test_tracing_keys_without_effect(expect_warnings: Callable[..., None], key: str) -> None:
    expect_warnings(f"version: v1\ntracing: {{►{key}: 3}}\n" + REST, "has no effect here")


def test_a_key_of_two_names_is_given_once(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        """
version: v1
agents: [{id: a, url: http://h:1}]
filters: [{id: f, url: http://h}]
tracing: {otlp_endpoint: http://h, ►opentracing_grpc_endpoint: http://h}
listeners:
  - name: l
    port: 1
    input_filters: [f]
    ►filter_chain: [f]
    agents: [{id: a, input_filters: [f], ►filter_chain: [f]}]
""",
        "the same as `otlp_endpoint`",
        "the same as `input_filters`",
        "the same as `input_filters`",
    )


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/x/v1/messages/", "http://h:1/x/v1"),
        ("http://h:1/v1/responses", "http://h:1/v1"),
    ],
)
def test_the_path_of_an_api_is_left_out_of_urls(
    read: Callable[..., Loaded], url: str, base: str
) -> None:
    loaded = read("version: v1" + REST.replace("http://h:1", url))
    assert loaded.config.agents[0].url == base
    assert [warning.path for warning in loaded.warnings] == ["agents[0].url"]


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/v1", "http://h:1/process"])
def test_other_paths_stay(read: Callable[..., Loaded], url: str) -> None:
    loaded = read("version: v1" + REST.replace("http://h:1", url))
    assert (loaded.config.agents[0].url, loaded.warnings) == (url, ())


@pytest.mark.parametrize(
    ("providers", "reason"),
    [
        ("[{model: plano/decider}]", "needs a model provider with a `base_url`"),
        ("[{model: plano/other, base_url: http://h}]", "needs a model provider"),
    ],
)
def test_an_override_without_an_address_has_no_effect(
    expect_warnings: Callable[..., None], providers: str, reason: str
) -> None:
    overrides = "overrides: {►agent_orchestration_model: decider}"
    text = f"version: v0.4.0\n►model_providers: {providers}\n{overrides}\n{REST}"
    expect_warnings(text, "model_providers: has no effect here", reason)


def test_our_own_orchestrator_comes_first(expect_warnings: Callable[..., None]) -> None:
    expect_warnings(
        f"""
version: v1
orchestrator: {{strategy: embedded}}
►model_providers: [{{model: plano/decider, base_url: http://h}}]
overrides: {{►agent_orchestration_model: decider}}
{REST}""",
        "has no effect here",
        "`orchestrator` says how to decide",
    )


@pytest.mark.parametrize("version", ["v0.4", "1", "[v1]"])
def test_a_version_is_one_of_those_we_know(
    expect_errors: Callable[..., None], version: str
) -> None:
    text = f"version: ►{version}\n►agent: 1\n{REST}"
    expect_errors(text, "must be one of v1, v0.3.0, v0.4.0", "unknown key 'agent'")


def test_a_missing_version_hides_nothing(expect_errors: Callable[..., None]) -> None:
    text = f"►►agentz: 1\n{REST}"
    expect_errors(text, "unknown key 'agentz'", "the key 'version' is missing")


def test_a_mapping_of_listeners_that_is_not_plano_s(expect_errors: Callable[..., None]) -> None:
    text = "version: v1\nagents: [{id: a, url: http://h}]\nlisteners: ►{name: l, port: 1}\n"
    expect_errors(text, "listeners: must be a list")
