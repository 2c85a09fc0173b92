"""Validates Kubernetes objects against the CustomResourceDefinitions of a folder.

What the API server would do but for the rules in CEL: an unknown field is a fault, and so are a
value of the wrong type, one out of an enumeration, and a required field that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

FOLDER = Path(
    os.environ.get("OUTERLOOP_CRDS", Path(__file__).parents[2] / "shared" / "crds")
).resolve()
"""Where the definitions are; not part of this repository."""

ABSENT = f"no definitions of Kubernetes objects in {FOLDER}: name their folder in OUTERLOOP_CRDS"
"""Why tests skip where `FOLDER` is not there."""

METADATA = {"type": "object", "required": ["name"]}


def validate(documents: Iterable[Mapping[str, Any]], folder: Path = FOLDER) -> None:
    """Raise AssertionError with each fault: the object, the path within it, and what is wrong."""
    assert faults(documents, folder) == []


def faults(documents: Iterable[Mapping[str, Any]], folder: Path = FOLDER) -> list[str]:
    """Return the faults of all objects whose kind must be defined in the folder."""
    return [fault for each in documents for fault in _faults(each, _schemas(folder))]


def _faults(document: Mapping[str, Any], schemas: Mapping[tuple[str, str], Any]) -> list[str]:
    key = (str(document.get("apiVersion")), str(document.get("kind")))
    name = f"{key[1]} {document.get('metadata', {}).get('name')}"
    if key not in schemas:
        return [f"{name}: no definition of {'/'.join(key)}"]
    errors = jsonschema.Draft202012Validator(schemas[key]).iter_errors(document)
    return [f"{name}: {error.json_path}: {error.message}" for error in errors]


@cache
def _schemas(folder: Path) -> dict[tuple[str, str], Any]:
    """Return the schema of each apiVersion and kind that is served."""
    definitions = [
        document
        for file in sorted(folder.glob("*.yaml"))
        for document in yaml.load_all(file.read_text(encoding="utf-8"), _Loader)
        if document and document.get("kind") == "CustomResourceDefinition"
    ]
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): _strict(
            _with_metadata(version["schema"]["openAPIV3Schema"])
        )
        for spec in (definition["spec"] for definition in definitions)
        for version in spec["versions"]
        if version["served"]
    }


def _with_metadata(schema: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    properties = {**schema["properties"], "apiVersion": text, "kind": text, "metadata": METADATA}
    return {**schema, "properties": properties}


def _strict(schema: Any) -> Any:
    """Return a structural schema as JSON Schema, with unknown fields forbidden.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions
    """
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {
        key: {name: _strict(each) for name, each in value.items()}
        if key == "properties"
        else _strict(value)
        for key, value in schema.items()
    }
    if strict.get("x-kubernetes-int-or-string"):
        strict["type"] = ["integer", "string"]
    if strict.get("nullable") and "type" in strict:
        strict["type"] = [strict["type"], "null"]
    # Within anyOf and the like there are only further conditions on fields that are known.
    closed = "properties" in strict and strict.get("type") == "object"
    if closed and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict


class _Loader(yaml.CSafeLoader):
    """The definitions are megabytes."""
