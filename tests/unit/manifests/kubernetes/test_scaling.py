from __future__ import annotations

import pytest

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.scaling import autoscaler, disruption_budget, scales


@pytest.mark.parametrize(("least", "most", "expected"), [(2, 10, True), (3, 3, False)])
def test_whether_there_is_something_to_scale(least: int, most: int, *, expected: bool) -> None:
    assert scales(Deploy(replicas=least, max_replicas=most)) == expected


def test_the_autoscaler_follows_the_cpu() -> None:
    spec = autoscaler(Deploy(name="r", replicas=3, max_replicas=7))["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "r"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 7)
    [metric] = spec["metrics"]
    assert metric["resource"]["name"] == "cpu"
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_node_can_be_drained(replicas: int) -> None:
    spec = disruption_budget(Deploy(replicas=replicas))["spec"]
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
