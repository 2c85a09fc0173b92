"""What targets render from, and what they hand back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from extproc.config.model.root import Config

Document: TypeAlias = Mapping[str, Any]
"""One Kubernetes object."""


class Unrenderable(ValueError):
    """Something that a target cannot express, and that must not be left out; says which key."""


@dataclass(frozen=True, slots=True)
class Source:
    """One configuration.

    `config` is checked and without disabled agents, `text` the file as it is written, `variables`
    the environment variables that it names.
    """

    config: Config
    text: str = field(repr=False)
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifests:
    """Objects in the order of their application, and notes on what the target cannot express."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()
