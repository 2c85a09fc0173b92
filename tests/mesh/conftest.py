"""Real control planes: each runs all tests of this folder that ask for `travel` or `gateway`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import (  # noqa: F401 - fixtures of the tests that run here too
    EchoAgent,
    echo_agents,
    free_ports,
    http,
    http1,
    http2,
    refused,
    seen,
    travel_yaml,
)
from tests.e2e.hostile.conftest import agents, connect, say, wire  # noqa: F401 - likewise
from tests.mesh.harness import Gateway
from tests.mesh.planes import PLANES


@pytest.fixture(scope="session", params=PLANES)
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    free_ports: Callable[[int], list[int]],  # noqa: F811 - a fixture's argument is its name
) -> Iterator[Gateway]:
    """One control plane for all tests; each has it run what it needs."""
    plane = PLANES[request.param]()
    reason = plane.missing()
    if reason is not None:
        pytest.fail(reason)
    folder = tmp_path_factory.mktemp("mesh")
    started = Gateway(plane, folder, free_ports(8))
    try:
        plane.start(folder / "plane")
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def travel(
    gateway: Gateway,
    travel_yaml: Callable[..., str],  # noqa: F811
) -> Gateway:
    """The configuration of the tests of `up`, which must leave it as it was."""
    gateway.run(travel_yaml(more="observability: {response_headers: full}"))
    return gateway
