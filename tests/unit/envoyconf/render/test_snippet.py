from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from extproc.address import SocketAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.render.snippet import render
from extproc.envoyconf.topology import Topology


def topology(egress: SocketAddress | None = None, **more: Any) -> Topology:
    file = {
        "version": "v1",
        "agents": [{"id": "a", "url": "http://h", "access_key": "s3cret"}],
        "listeners": [
            {"name": name, "port": port, "mode": mode, "agents": [{"id": "a"}]}
            for name, port, mode in (("follow", 1, "enforce"), ("watch", 2, "observe"))
        ],
        **more,
    }
    places = Places((SocketAddress("127.0.0.1", 9001),), SocketAddress("127.0.0.1", 1), egress)
    return build(Config.model_validate(file), places)


def test_there_is_a_part_for_each_listener_and_one_for_all() -> None:
    follow, watch, everywhere = yaml.safe_load_all(render(topology()))
    assert list(follow) == ["listener", "http_connection_manager", "virtual_host"]
    assert list(watch) == ["listener", "http_connection_manager", "route"]
    assert [each["name"] for each in everywhere["static_resources"]["clusters"]] == [
        "processor",
        "agent/a",
    ]
    assert "listeners" not in everywhere["static_resources"]


def test_the_way_out_is_a_listener_of_its_own() -> None:
    *_, everywhere = yaml.safe_load_all(render(topology(SocketAddress("127.0.0.1", 9))))
    [listener] = everywhere["static_resources"]["listeners"]
    assert listener["address"]["socket_address"]["port_value"] == 9


def test_no_secret_is_in_it() -> None:
    assert "s3cret" not in render(topology())


def test_own_filters_stand_in_their_slots() -> None:
    filters = {"before_decision": [{"name": "first"}], "after_decision": [{"name": "last"}]}
    follow, *_ = yaml.safe_load_all(render(topology(envoy={"http_filters": filters})))
    names = [each["name"] for each in follow["http_connection_manager"]["http_filters"]]
    assert names[0] == "first"
    assert names[-2:] == ["last", "outerloop.answers"]


def test_the_same_configuration_gives_the_same_text(make_topology: Callable[..., Topology]) -> None:
    assert render(make_topology()) == render(make_topology())
