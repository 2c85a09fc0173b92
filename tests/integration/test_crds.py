"""The validation of rendered objects finds what an API server would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crds import ABSENT, FOLDER, faults, validate

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)

ABOUT = {"name": "mine", "namespace": "default"}
PORT = {"number": 80, "name": "http", "protocol": "HTTP"}


def gateway(**server: Any) -> dict[str, Any]:
    servers = [{"hosts": ["*"], "port": PORT, **server}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": ABOUT,
        "spec": {"servers": servers},
    }


def test_a_valid_object_has_no_faults() -> None:
    validate([gateway()])


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (gateway(host="*"), "$.spec.servers[0]: Additional properties are not allowed"),
        (gateway(port={**PORT, "number": "80"}), "$.spec.servers[0].port.number: '80' is not"),
        (gateway(port={"number": 80}), "$.spec.servers[0].port: 'name' is a required property"),
        (gateway(tls={"mode": "SOME"}), "$.spec.servers[0].tls.mode: 'SOME' is not one of"),
        ({**gateway(), "specs": {}}, "$: Additional properties are not allowed"),
        ({**gateway(), "metadata": {}}, "$.metadata: 'name' is a required property"),
        ({**gateway(), "kind": "Door"}, "no definition of networking.istio.io/v1/Door"),
    ],
)
def test_each_fault_is_named(document: dict[str, Any], fault: str) -> None:
    assert any(fault in each for each in faults([document]))
    with pytest.raises(AssertionError):
        validate([document])
