"""The bootstrap as YAML: what `up` starts Envoy with, and `render --target bootstrap` prints."""

from __future__ import annotations

from typing import Final

from extproc.envoyconf.render.own import put_in
from extproc.envoyconf.render.text import as_json, as_yaml
from extproc.envoyconf.resources.bootstrap import bootstrap
from extproc.envoyconf.topology import Topology

_HEADING: Final = "# Rendered by outerloop: a change belongs into the file this comes from.\n"


def render(topology: Topology) -> str:
    """Return a complete Envoy configuration; the same topology gives the same text.

    No secret is in it: keys and certificates are named by their files.
    """
    document = put_in(as_json(bootstrap(topology)), topology.own)
    if not topology.folder.dynamic:
        document["static_resources"]["clusters"] += topology.own.clusters
    return _HEADING + as_yaml(document)
