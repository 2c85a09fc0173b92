from __future__ import annotations

from collections.abc import Callable

import yaml

from extproc.envoyconf.render.bootstrap import render
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


def test_it_is_yaml_with_the_names_of_envoys_protos(make_topology: Make) -> None:
    document = yaml.safe_load(render(make_topology()))
    assert document.keys() == {"node", "admin", "static_resources", "overload_manager"}
    (listener,) = document["static_resources"]["listeners"]
    assert listener["per_connection_buffer_limit_bytes"] == 32 * 2**20
    detection = document["static_resources"]["clusters"][1]["outlier_detection"]
    # betterproto2's own spelling of this name is not Envoy's.
    assert detection["enforcing_consecutive_5xx"] == 0


def test_the_same_topology_gives_the_same_text(make_topology: Make) -> None:
    assert render(make_topology()) == render(make_topology())


def test_a_script_is_written_line_by_line(make_topology: Make) -> None:
    assert "inline_string: |\n" in render(make_topology())


def test_no_secret_is_in_it(make_topology: Make) -> None:
    agent = {
        "id": "general",
        "url": "https://a/v1",
        "access_key": "sk-marked",
        "headers": {"x-key": "sk-marked"},
    }
    assert "sk-marked" not in render(make_topology(agent))
