"""The control planes that the tests of this folder run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.mesh.envoy_gateway import EnvoyGateway
from tests.mesh.harness import ControlPlane
from tests.mesh.istio import Istio

PLANES: Mapping[str, Callable[[], ControlPlane]] = {
    "envoy-gateway": EnvoyGateway,
    "envoy-gateway-unpatched": lambda: EnvoyGateway(patches=False),
    "istio": Istio,
}
"""By what the tests' names say."""
