from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from extproc.envoyconf.files import Folder
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]


class TestKeeping:
    """Two topologies at once: requests that the other one decided still find their agents."""

    FOLDER = Folder("/run/envoy", dynamic=True)

    def of(self, make_topology: Make, ids: str, host: str = "http://{}", **more: Any) -> Topology:
        agents = [{"id": each, "url": host.format(each)} for each in ids]
        return make_topology(*agents, folder=self.FOLDER, **more)

    def test_routes_and_clusters_of_agents_that_are_gone_stay(self, make_topology: Make) -> None:
        both = self.of(make_topology, "bc").keeping(self.of(make_topology, "ab"))
        (listener,) = both.listeners
        assert [route.agent for route in listener.routes] == ["b", "c", "a"]
        assert [each.name for each in both.clusters] == ["agent/b", "agent/c", "agent/a"]
        assert both.egress is not None
        assert [each.target for each in both.egress.routes] == ["agent/b", "agent/c", "agent/a"]

    def test_what_both_have_is_as_the_new_one_says(self, make_topology: Make) -> None:
        new, old = self.of(make_topology, "a", "http://new"), self.of(make_topology, "a")
        assert new.keeping(old) == new

    def test_all_else_is_the_new_ones(self, make_topology: Make) -> None:
        new = self.of(make_topology, "b", listener={"port": 8002, "decision_timeout": "9s"})
        old = self.of(make_topology, "a", limits={"max_request_bytes": 1000})
        both = new.keeping(old)
        (listener,) = both.listeners
        assert replace(listener, routes=()) == replace(new.listeners[0], routes=())
        assert both.limits == new.limits

    def test_a_listener_that_is_gone_does_not_stay(self, make_topology: Make) -> None:
        new = self.of(make_topology, "b", listener={"name": "other"})
        both = new.keeping(self.of(make_topology, "a"))
        (listener,) = both.listeners
        assert (listener.name, [route.agent for route in listener.routes]) == ("other", ["b"])
        assert [each.name for each in both.clusters] == ["agent/b", "agent/a"]

    def test_what_was_kept_is_kept_on(self, make_topology: Make) -> None:
        earlier = self.of(make_topology, "b").keeping(self.of(make_topology, "a"))
        both = self.of(make_topology, "c").keeping(earlier)
        assert [route.agent for route in both.listeners[0].routes] == ["c", "b", "a"]
        assert len(both.clusters) == 3

    def test_without_a_way_out_of_ours_there_are_no_routes_on_it(self, make_topology: Make) -> None:
        new, old = make_topology({"id": "b", "url": "http://b"}), self.of(make_topology, "a")
        assert new.keeping(old).egress is None
        assert old.keeping(new).egress == old.egress
