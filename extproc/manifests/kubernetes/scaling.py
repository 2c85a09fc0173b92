"""How many pods there are, and how many of them may be taken away."""

from __future__ import annotations

from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.place import document, metadata, selector

_CPU_PERCENT: Final = 70
"""Of the request, which is half a core: a new pod is there before its worker's core is full."""
_CALM: Final = 300
"""Seconds with less load before pods are taken away."""


def scales(deploy: Deploy) -> bool:
    """True where there is an autoscaler."""
    return deploy.max_replicas > deploy.replicas


def autoscaler(deploy: Deploy) -> dict[str, Any]:
    """Return the autoscaler, by CPU: one worker has one core at most."""
    cpu = {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": _CPU_PERCENT},
        },
    }
    return document(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        metadata(deploy),
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deploy.name},
            "minReplicas": deploy.replicas,
            "maxReplicas": deploy.max_replicas,
            "metrics": [cpu],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": _CALM,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                }
            },
        },
    )


def disruption_budget(deploy: Deploy) -> dict[str, Any]:
    """Return a budget that lets a node be drained, also where there is one pod."""
    return document(
        "policy/v1",
        "PodDisruptionBudget",
        metadata(deploy),
        spec={
            "maxUnavailable": 1,
            # A pod that cannot start, by a faulty file for example, must not hold a node up.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(deploy)},
        },
    )
