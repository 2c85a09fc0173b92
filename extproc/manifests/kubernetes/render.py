"""The target `kubernetes`: the processor's pods, and all that keeps them well."""

from __future__ import annotations

from extproc.manifests.kubernetes.files import check_text
from extproc.manifests.kubernetes.network import network_policy
from extproc.manifests.kubernetes.notes import notes
from extproc.manifests.kubernetes.place import check_name
from extproc.manifests.kubernetes.scaling import autoscaler, disruption_budget, scales
from extproc.manifests.kubernetes.services import services
from extproc.manifests.kubernetes.workload import configuration, deployment, service_account
from extproc.manifests.source import Manifests, Source


def render(source: Source) -> Manifests:
    """Return the objects. Raises `Unrenderable`.

    No value of an environment variable is in them, but for those that `deploy` names.
    """
    deploy = source.config.deploy
    check_name(deploy.name)
    check_text(source)
    return Manifests(
        (
            service_account(deploy),
            configuration(source),
            # Before the pods: none of them is ever reachable by others.
            network_policy(source),
            *services(deploy),
            deployment(source),
            disruption_budget(deploy),
            *((autoscaler(deploy),) if scales(deploy) else ()),
        ),
        notes(source),
    )
