"""The files that Envoy reads and reads again: names of its routes, clusters and secrets on disk.

Envoy notices a file that another one is renamed over, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CLUSTERS: Final = "clusters.json"
LISTENERS: Final = "listeners.json"

_PRIVATE: Final = "secret-"

PROCESSOR_CERTIFICATE: Final = "processor-certificate"
"""Name of the secret with what Envoy shows the processor."""
PROCESSOR_CA: Final = "processor-ca"
"""Name of the secret with the authorities that the processor is checked against."""

EGRESS: Final = "outerloop.egress"
"""The listener for the processor's own calls: no name that a configuration can have."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where Envoy finds its files.

    In a `dynamic` one is all that may change; else secrets alone, and the rest is in the
    bootstrap.
    """

    path: str
    dynamic: bool

    def __truediv__(self, name: str) -> str:
        """Return the path of a file."""
        return f"{self.path}/{name}"


@dataclass(frozen=True, slots=True)
class File:
    """The content of a file, and the version by which Envoy says that it is in force."""

    version: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Files:
    """All files of one configuration. The same configuration has the same versions.

    All but `clusters` and `listeners` are by the names of their files.
    """

    clusters: File
    endpoints: Mapping[str, File]
    listeners: File
    routes: Mapping[str, File]
    secrets: Mapping[str, File]

    @property
    def names(self) -> set[str]:
        """The names of all of them."""
        return {CLUSTERS, LISTENERS, *self.endpoints, *self.routes, *self.secrets}


def routes_file(listener: str) -> str:
    """Return the name of the file with the routes of a listener."""
    return f"routes-{listener}.json"


def listener_of(routes: str) -> str:
    """Return the name of the listener whose `routes_file` that is."""
    return routes.removeprefix("routes-").removesuffix(".json")


def endpoints_file(cluster: str, shape: str) -> str:
    """Return the name of the file with the hosts of a cluster.

    With another `shape` (all that is not hosts) it has another file: until it is in force, the old
    one must not try the hosts of the new one.
    """
    # No id has a dot, nor has a shape.
    return f"endpoints-{cluster.replace('/', '.')}.{shape}.json"


def cluster_of(endpoints: str) -> str | None:
    """Return the cluster whose `endpoints_file` that is; None for any other file."""
    if not endpoints.startswith("endpoints-"):
        return None
    cluster, _, _ = endpoints.removeprefix("endpoints-").removesuffix(".json").rpartition(".")
    return cluster.replace(".", "/")


def is_told(name: str) -> bool:
    """Tell whether Envoy tells the version of the file by this name that it has in force."""
    return not name.startswith(_PRIVATE)


def secret_file(secret: str) -> str:
    """Return the name of the file with a secret."""
    return f"{_PRIVATE}{secret}.json"


def key_secret(agent: str) -> str:
    """Name the secret with an agent's `access_key`."""
    return f"agent-{agent}-key"


def header_secret(agent: str, header: str) -> str:
    """Name the secret with the value of one of an agent's `headers`."""
    # A dot, which no id has: else another agent's key could have the same name.
    return f"agent-{agent}.header-{header}"


def certificate_secret(listener: str) -> str:
    """Name the secret with the certificate and key of a listener."""
    return f"listener-{listener}-certificate"


def client_ca_secret(listener: str) -> str:
    """Name the secret with the authorities that a listener's clients are checked against."""
    return f"listener-{listener}-client-ca"
