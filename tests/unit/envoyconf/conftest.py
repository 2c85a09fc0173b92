from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.address import PipeAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import Folder
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


@pytest.fixture
def make_topology() -> Make:
    """Build a topology of the agents given (default: one), all offered by one listener."""

    def make(
        *agents: dict[str, Any],
        listener: dict[str, Any] | None = None,
        folder: Folder | None = None,
        **rest: Any,
    ) -> Topology:
        chosen = agents or ({"id": "weather", "url": "http://127.0.0.1:10510"},)
        config = Config.model_validate(
            {
                "version": "v1",
                "agents": chosen,
                "listeners": [
                    {
                        "name": "travel",
                        "port": 8001,
                        "agents": [{"id": agent["id"]} for agent in chosen],
                        **(listener or {}),
                    }
                ],
                **rest,
            }
        )
        return build(
            config,
            Places(
                (PipeAddress("/run/worker-0.sock"),),
                PipeAddress("/run/envoy.sock"),
                PipeAddress("/run/egress.sock") if folder else None,
                folder or Folder("/etc/outerloop", dynamic=False),
            ),
            system_ca="/etc/ca.pem",
        )

    return make
