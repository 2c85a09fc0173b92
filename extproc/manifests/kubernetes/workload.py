"""What runs: the account, the configuration, and the pods."""

from __future__ import annotations

import math
from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.calls import drain_time
from extproc.manifests.kubernetes.container import LEAVING, container
from extproc.manifests.kubernetes.files import configuration_volume, tls_secret
from extproc.manifests.kubernetes.place import (
    ADMIN_PORT,
    CONFIG_FILE,
    document,
    labels,
    metadata,
    selector,
)
from extproc.manifests.source import Source

_NOTICE: Final = 2.5
"""Seconds that `serve` goes on after it has said that it stops."""
_ENDING: Final = 10
"""Seconds for the processes to end behind what ran."""
_USER: Final = 65532
"""Of the image: nobody that a node knows."""
_SCRATCH: Final = "64Mi"
"""Sockets, metrics and copies of the configuration: a twentieth of it, usually."""
_FOR_GROUP: Final = 0o440
_SCRAPED: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(ADMIN_PORT),
    "prometheus.io/path": "/metrics",
}


def service_account(deploy: Deploy) -> dict[str, Any]:
    """Return an account that may do nothing: `default` may have been given rights."""
    return document("v1", "ServiceAccount", metadata(deploy), automountServiceAccountToken=False)


def configuration(source: Source) -> dict[str, Any]:
    """Return the file as it is written. Pods follow when it changes, so it is not `immutable`."""
    return document(
        "v1", "ConfigMap", metadata(source.config.deploy), data={CONFIG_FILE: source.text}
    )


def deployment(source: Source) -> dict[str, Any]:
    """Return the Deployment; its number of pods is where an autoscaler begins."""
    deploy = source.config.deploy
    return document(
        "apps/v1",
        "Deployment",
        metadata(deploy),
        spec={
            "replicas": deploy.replicas,
            "selector": {"matchLabels": selector(deploy)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                # No checksum of the configuration: a pod reads it again without a restart.
                "metadata": {"labels": labels(deploy), "annotations": _SCRAPED},
                "spec": _pod(source),
            },
        },
    )


def _pod(source: Source) -> dict[str, Any]:
    deploy = source.config.deploy
    return {
        "serviceAccountName": deploy.name,
        "automountServiceAccountToken": False,
        # Else each Service of the namespace becomes variables, ours as OUTERLOOP_PORT.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_period(source),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            _spread(deploy, "kubernetes.io/hostname"),
            _spread(deploy, "topology.kubernetes.io/zone"),
        ],
        "containers": [container(source)],
        "volumes": _volumes(source),
    }


def grace_period(source: Source) -> int:
    """Return the seconds within which a pod has ended by itself, all that ran finished."""
    return LEAVING + math.ceil(_NOTICE) + drain_time(source.config) + _ENDING


def _spread(deploy: Deploy, over: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": over,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(deploy)},
    }


def _volumes(source: Source) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "config", **configuration_volume(source)},
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": _SCRATCH}},
    ]
    secret = tls_secret(source.config.deploy)
    if secret is not None:
        files = {"secretName": secret, "defaultMode": _FOR_GROUP}
        volumes.append({"name": "tls", "secret": files})
    return volumes
