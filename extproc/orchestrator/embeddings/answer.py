"""The vectors in an answer of `/v1/embeddings`."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from extproc.errors import OrchestratorFailed
from extproc.json_scan import JsonValue
from extproc.orchestrator.embedded import Vectors

_LARGEST: Final = 1e9
"""A component beyond this is no embedding's, and its square could leave the range of a float."""


def parse_vectors(body: bytes, count: int) -> Vectors:
    """Return `count` rows of length one, in the order of the texts that were sent.

    Components may be a list of numbers, or base64 of little-endian 32-bit floats. Raises
    `OrchestratorFailed`; the error quotes nothing of the answer.
    """
    rows = _in_order(_entries(body), count)
    if len({row.shape for row in rows}) != 1 or not rows[0].size:
        raise OrchestratorFailed("the embeddings are not all of one length")
    vectors = np.stack(rows)
    # So that not-a-number is refused too, which is neither above nor below.
    if not (np.abs(vectors) < _LARGEST).all():
        raise OrchestratorFailed("the embeddings are not finite numbers")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return units


def _entries(body: bytes) -> Sequence[JsonValue]:
    try:
        data = json.loads(body)["data"]
    except (ValueError, RecursionError):
        raise OrchestratorFailed("the embeddings server's answer is not JSON") from None
    except (LookupError, TypeError):
        data = None
    if not isinstance(data, list):
        raise OrchestratorFailed("the embeddings server's answer has no data")
    return data


def _in_order(entries: Sequence[JsonValue], count: int) -> list[NDArray[np.float64]]:
    """Put the rows where their `index` says; servers that leave it out keep the order."""
    if len(entries) != count:
        raise OrchestratorFailed("the embeddings server answered for another number of texts")
    rows: dict[int, NDArray[np.float64]] = {}
    for place, entry in enumerate(entries):
        index = entry.get("index", place) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(index, int):
            raise OrchestratorFailed("the embeddings server's answer cannot be read")
        rows[index] = _components(entry.get("embedding"))
    if rows.keys() != set(range(count)):
        raise OrchestratorFailed("the embeddings server's answer does not name each text once")
    return [rows[index] for index in range(count)]


def _components(value: JsonValue) -> NDArray[np.float64]:
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float64)
        row = np.array(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        row = np.zeros((0, 0))
    if row.ndim != 1:
        raise OrchestratorFailed("the embeddings server's answer has no vectors of numbers")
    return row
