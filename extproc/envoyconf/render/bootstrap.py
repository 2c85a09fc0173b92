"""The bootstrap as YAML: what `up` starts Envoy with, and `render --target bootstrap` prints."""

from __future__ import annotations

from typing import Final

import yaml

from extproc.envoyconf.resources.bootstrap import bootstrap
from extproc.envoyconf.topology import Topology

_HEADING: Final = "# Rendered by outerloop: a change belongs into the file this comes from.\n"
_UNFOLDED: Final = 10_000


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as it is."""


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def render(topology: Topology) -> str:
    """Return a complete Envoy configuration; the same topology gives the same text.

    No secret is in it: keys and certificates are named by their files.
    """
    document = bootstrap(topology).to_dict(
        casing=str  # type: ignore[arg-type] # any callable will do; betterproto2's own write 5xx as 5_xx
    )
    # Unfolded: one value, one line, so that a difference between two files is easy to read.
    return _HEADING + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=_UNFOLDED)
