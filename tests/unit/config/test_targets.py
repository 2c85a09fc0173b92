from __future__ import annotations

from typing import Any

from extproc.config.model.root import Config
from extproc.config.targets import EMBEDDINGS, MODEL, agent_targets, targets


def config(**orchestrator: Any) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://a"}],
            "listeners": [{"name": "l", "port": 0, "agents": [{"id": "a"}]}],
            "orchestrator": orchestrator,
        }
    )


def test_a_file_without_servers_has_no_targets() -> None:
    assert targets(config()) == {}


def test_servers_by_the_names_of_their_routes() -> None:
    both = targets(
        config(
            model={"url": "https://host/api/v1", "name": "m"},
            embeddings={"url": "http://127.0.0.1:8000", "name": "e"},
        )
    )
    assert set(both) == {MODEL, EMBEDDINGS}
    assert both[MODEL].origin.path_prefix == "/api"
    assert both[EMBEDDINGS].origin.port == 8000
    assert [target.name for target in both.values()] == [MODEL, EMBEDDINGS]


def with_agent(**agent: Any) -> Config:
    document = config().model_dump(mode="json", exclude_unset=True)
    return Config.model_validate(document | {"agents": [{"id": "a", **agent}]})


def test_agents_by_their_ids() -> None:
    (target,) = agent_targets(with_agent(url="https://host/team/v1")).values()
    assert target.name == "agent/a"
    assert (target.origin.authority, target.origin.path_prefix) == ("host", "/team")


def test_of_several_hosts_the_first_is_called() -> None:
    found = agent_targets(with_agent(endpoints=["http://one", "http://two"]))
    assert found["a"].origin.authority == "one"


def test_of_several_variants_the_largest_is_called() -> None:
    variants = [
        {"id": "canary", "weight": 5, "url": "http://canary"},
        {"id": "stable", "weight": 95, "endpoints": ["http://one", "http://two"]},
        {"id": "off", "weight": 0, "url": "http://off"},
    ]
    assert agent_targets(with_agent(variants=variants))["a"].origin.authority == "one"


def test_of_variants_of_one_size_the_first_is_called() -> None:
    variants = [{"id": each, "weight": 1, "url": f"http://{each}"} for each in ("x", "y")]
    assert agent_targets(with_agent(variants=variants))["a"].origin.authority == "x"


def test_an_agent_whose_place_only_the_gateway_knows_has_no_address() -> None:
    found = agent_targets(with_agent(cluster="theirs"))["a"]
    assert (found.name, found.has_address) == ("agent/a", False)


def test_a_service_is_called_by_its_name_in_the_cluster() -> None:
    found = agent_targets(with_agent(service="weather.agents:8080"))["a"]
    assert found.origin.authority == "weather.agents.svc.cluster.local:8080"
