"""What the objects are called, and the ports and paths on which they agree."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from extproc.config.model.deploy import Deploy
from extproc.manifests.source import Unrenderable

PROCESSOR_PORT: Final = 9001
ADMIN_PORT: Final = 9902
CONFIG_FOLDER: Final = "/etc/outerloop"
CONFIG_FILE: Final = "outerloop.yaml"
TLS_FOLDER: Final = "/etc/outerloop-tls"
SCRATCH_FOLDER: Final = "/tmp"  # noqa: S108 - a volume of the pod's own is mounted there

PROCESSOR: Final = "grpc"
ADMIN: Final = "admin"
"""Names of the ports."""

ENVIRONMENT: Final = "env"
FILES: Final = "files"
HEADLESS: Final = "headless"
"""What the names of further objects end in."""

_LONGEST_NAME: Final = 63 - len("-headless")
"""Characters: a Service's name is a DNS label."""


def check_name(name: str) -> None:
    """Raise `Unrenderable` where not all objects could be called by `deploy.name`."""
    if name[0].isdigit() or len(name) > _LONGEST_NAME:
        raise Unrenderable(
            f"deploy.name: the name of a Service begins with a letter, and {_LONGEST_NAME} "
            "characters leave room for what is added to it"
        )


def named(deploy: Deploy, part: str) -> str:
    """Return the name of a further object, such as `outerloop-env`."""
    return f"{deploy.name}-{part}"


def allowed_by(deploy: Deploy, what: str) -> dict[str, str]:
    """Return the label that a pod has which may connect, for `client` or `scrape`."""
    return {named(deploy, what): "true"}


def selector(deploy: Deploy) -> dict[str, str]:
    """Return the labels that the processor's pods, and no others, have for as long as they live."""
    return {"app.kubernetes.io/name": "outerloop", "app.kubernetes.io/instance": deploy.name}


def labels(deploy: Deploy) -> dict[str, str]:
    """Return the labels of all objects."""
    return {
        **selector(deploy),
        "app.kubernetes.io/component": "processor",
        "app.kubernetes.io/version": release(),
    }


def metadata(deploy: Deploy, name: str | None = None) -> dict[str, Any]:
    """Return the metadata of an object, called `deploy.name` unless it has a name of its own."""
    return {
        "name": name or deploy.name,
        "namespace": deploy.namespace,
        "labels": labels(deploy),
    }


def document(api: str, kind: str, about: Mapping[str, Any], **content: object) -> dict[str, Any]:
    """Put an object together."""
    return {"apiVersion": api, "kind": kind, "metadata": about, **content}


def release() -> str:
    """Return our version, as labels and image tags may have it."""
    return version("outerloop-extproc").replace("+", "-")
