from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from extproc.config.model.deploy import Deploy, OwnEnvoy


def test_nothing_needs_to_be_said() -> None:
    deploy = Deploy()
    assert (deploy.name, deploy.namespace, deploy.replicas) == ("outerloop", "default", 2)
    assert deploy.processor.addresses == ()
    assert deploy.processor.tls is None


@pytest.mark.parametrize("address", ["10.0.0.1:9001", "[::1]:9001", "unix:/run/p.sock", "p:9001"])
def test_a_worker_is_a_host_and_port_or_a_socket(address: str) -> None:
    deploy = Deploy.model_validate({"processor": {"addresses": [address]}})
    assert deploy.processor.addresses == (address,)


@pytest.mark.parametrize(
    "deploy",
    [
        {"name": "Outer_Loop"},
        {"namespace": "-x"},
        {"replicas": 0},
        {"processor": {"addresses": ["nine"]}},
        {"processor": {"tls": {"ca": "ca.pem"}}},
        {"processor": {"tls": {"san": "p", "secret": "No/Name"}}},
    ],
)
def test_what_no_place_can_be_is_refused(deploy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Deploy.model_validate(deploy)


def test_what_is_envoys_is_taken_as_it_is() -> None:
    written: dict[str, Any] = {
        "http_filters": {"before_decision": [{"name": "x", "typed_config": {"@type": "t"}}]},
        "clusters": [{"name": "keys"}],
        "per_route": {"x": {"@type": "t"}},
    }
    own = OwnEnvoy.model_validate(written)
    assert own.http_filters.before_decision == tuple(written["http_filters"]["before_decision"])
    assert own.clusters == ({"name": "keys"},)
    assert own.per_route == written["per_route"]
