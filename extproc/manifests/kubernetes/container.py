"""The container: what it runs, how it is asked whether it is well, and what it may use."""

from __future__ import annotations

from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.calls import drain_time
from extproc.manifests.kubernetes.files import environment, tls_secret
from extproc.manifests.kubernetes.place import (
    ADMIN,
    ADMIN_PORT,
    CONFIG_FILE,
    CONFIG_FOLDER,
    PROCESSOR,
    PROCESSOR_PORT,
    SCRATCH_FOLDER,
    TLS_FOLDER,
    release,
)
from extproc.manifests.source import Source

LEAVING: Final = 10
"""Seconds that a pod serves on as ever, while gateways hear that it goes."""
_TEMPORARY: Final = "TMPDIR"
_RESOURCES: Final = {
    # No limit of CPU: one worker takes a core at most, and throttling delays all its decisions.
    "requests": {"cpu": "500m", "memory": "256Mi"},
    "limits": {"memory": "1Gi"},
}
"""Measured: see docs/deploy/capacity.md."""
_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def container(source: Source) -> dict[str, Any]:
    """Return the processor's container: one worker, for pods are what there are several of."""
    deploy = source.config.deploy
    return {
        "name": "outerloop",
        "image": deploy.image or f"outerloop-extproc:{release()}",
        "args": _arguments(source),
        "env": _environment(source),
        "ports": [
            {"name": PROCESSOR, "containerPort": PROCESSOR_PORT, "protocol": "TCP"},
            {"name": ADMIN, "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        **_probes(),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING}}},
        "resources": _RESOURCES,
        "securityContext": _SECURITY,
        "volumeMounts": _mounts(deploy),
    }


def _arguments(source: Source) -> list[str]:
    return [
        "serve",
        *("-c", f"{CONFIG_FOLDER}/{CONFIG_FILE}"),
        *("--bind", f"0.0.0.0:{PROCESSOR_PORT}"),
        *("--admin", f"0.0.0.0:{ADMIN_PORT}"),
        *("--drain-time", str(drain_time(source.config))),
        *_tls_arguments(source.config.deploy),
    ]


def _tls_arguments(deploy: Deploy) -> tuple[str, ...]:
    tls = deploy.processor.tls
    if tls is None:
        return ()
    knows_clients = tls.client_secret is not None or tls.certificate is not None
    return (
        *("--tls-certificate", f"{TLS_FOLDER}/tls.crt"),
        *("--tls-key", f"{TLS_FOLDER}/tls.key"),
        *(("--tls-client-ca", f"{TLS_FOLDER}/ca.crt") if knows_clients else ()),
    )


def _environment(source: Source) -> list[dict[str, Any]]:
    of_the_file = (each for each in environment(source) if each["name"] != _TEMPORARY)
    return [{"name": _TEMPORARY, "value": SCRATCH_FOLDER}, *of_the_file]


def _probes() -> dict[str, Any]:
    """`/readyz` answers 503 before the worker serves and while it drains, `/healthz` never does."""
    ready = {"httpGet": {"path": "/readyz", "port": ADMIN}, "timeoutSeconds": 3}
    alive = {"httpGet": {"path": "/healthz", "port": ADMIN}, "timeoutSeconds": 5}
    return {
        "startupProbe": {**ready, "periodSeconds": 2, "failureThreshold": 45},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 1},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 3},
    }


def _mounts(deploy: Deploy) -> list[dict[str, Any]]:
    # Folders, not single files: only those follow when a ConfigMap or a Secret changes.
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "scratch", "mountPath": SCRATCH_FOLDER},
    ]
    if tls_secret(deploy) is not None:
        mounts.append({"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True})
    return mounts
