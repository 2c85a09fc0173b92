"""What a pod gets beside the configuration: files, variables, certificates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from extproc.config.faults import Location, path_text
from extproc.config.model.deploy import Deploy
from extproc.config.yaml_source import Node, parse
from extproc.manifests.kubernetes.place import CONFIG_FILE, ENVIRONMENT, FILES, named
from extproc.manifests.source import Source, Unrenderable

_PROMPT: Final = ("orchestrator", "model", "prompt_file")
_PART: Final = re.compile(r"(?!\.\.)[-._A-Za-z0-9]+")
"""Of a path below a mounted folder: what a ConfigMap can have as a key."""
_LARGEST: Final = 2**20
"""Bytes that a ConfigMap holds."""
_SECRET_NAME: Final = re.compile(
    r"(^|[^a-z]|access|api|auth|client|private)"
    r"(auth|authorization|cookie|credential|key|password|secret|token)s?$",
    re.IGNORECASE,
)


def configuration_volume(source: Source) -> dict[str, Any]:
    """Return the volume of the configuration's folder: the file, and the prompt that it names.

    Raises `Unrenderable` where a pod could not have that prompt at its place.
    """
    deploy = source.config.deploy
    content = {"configMap": {"name": deploy.name}}
    prompt = prompt_file(source)
    if prompt is None:
        return content
    item = {"key": PurePosixPath(prompt).name, "path": prompt}
    beside = {"configMap": {"name": named(deploy, FILES), "items": [item]}}
    return {"projected": {"sources": [content, beside]}}


def prompt_file(source: Source) -> str | None:
    """Return the prompt's path as it is written. Raises `Unrenderable`."""
    model = source.config.orchestrator.model
    if model is None or model.prompt_file is None:
        return None
    node = parse(source.text, "").at(_PROMPT)
    written = PurePosixPath(node.raw if node is not None else "/")
    if not all(map(_PART.fullmatch, written.parts)):
        raise Unrenderable(
            f"{path_text(_PROMPT)}: a pod has the folder of the configuration alone: name a file "
            "below it, in letters, digits, `-`, `_` and `.`"
        )
    return str(written)


def environment(source: Source) -> list[dict[str, Any]]:
    """Return the variables that the file names; their values stand in a Secret of the user's."""
    secret = named(source.config.deploy, ENVIRONMENT)
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
        for name in source.variables
    ]


def tls_secret(deploy: Deploy) -> str | None:
    """Return the Secret of the processor's certificate; None: plain HTTP/2.

    Raises `Unrenderable` where it must speak TLS, and nothing says where its certificate is.
    """
    tls = deploy.processor.tls
    if tls is not None and tls.secret is None:
        raise Unrenderable(
            "deploy.processor.tls.secret: is missing: pods have their certificate from a Secret"
        )
    return tls.secret if tls is not None else None


def check_text(source: Source) -> None:
    """Raise `Unrenderable` where the file cannot be a ConfigMap, or must not: it holds secrets."""
    if len(source.text.encode()) > _LARGEST:
        raise Unrenderable(f"{CONFIG_FILE}: a ConfigMap holds at most 1 MiB, and the file has more")
    found = ", ".join(map(path_text, _secrets(parse(source.text, ""))))
    if found:
        raise Unrenderable(
            f"{found}: written out in the file, which becomes a ConfigMap: name an environment "
            "variable instead, such as $ACCESS_KEY"
        )


def _secrets(tree: Node) -> Iterator[Location]:
    for location, node in tree.walk():
        is_text = isinstance(node.value, str) and node.value != ""
        if is_text and _holds_secret(location) and not _names_variable(node.raw):
            yield location


def _holds_secret(location: Location) -> bool:
    match location:
        case (*_, "access_key"):
            return True
        case ("agents", int(), "headers", str(name)) | ("filters", int(), "options", *_, str(name)):
            return _SECRET_NAME.search(name) is not None
    return False


def _names_variable(raw: str) -> bool:
    return "$" in raw.replace("$$", "")
