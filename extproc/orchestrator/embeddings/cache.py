"""Vectors of the agents' texts on disk, so that they are asked for once and not at each start.

Only hashes and vectors are written, and only of what the configuration says of agents.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_BYTES: Final = 128 * 2**20
"""Of one file; what a configuration no longer has leaves first."""

MAX_FILES: Final = 8
"""One for each server and model; the one that was written longest ago leaves first."""

_KEY_BYTES: Final = 16
_SUFFIX: Final = ".npz"
_UNREADABLE: Final = (OSError, ValueError, LookupError, EOFError, MemoryError, zipfile.BadZipFile)

Vector = NDArray[np.float32]


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where vectors are kept, by the XDG base directory specification.

    None where there is neither `XDG_CACHE_HOME` nor `HOME`: nothing is kept then.
    """
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path(environ.get("HOME", "")) / ".cache"
    return base / "outerloop" / "embeddings" if base.is_absolute() else None


class VectorCache:
    """Vectors by text, for one server and model (`identity`). Never raises: it only saves time."""

    def __init__(self, folder: Path | None, identity: Iterable[str]) -> None:
        self._folder = folder
        self._identity = list(identity)

    def load(self, texts: Iterable[str]) -> dict[str, Vector]:
        """Return the vectors that are known of these texts; of a faulty file none is."""
        stored = self._read()
        keys = {text: self._key(text) for text in texts}
        return {text: stored[key] for text, key in keys.items() if key in stored}

    def save(self, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors, all of one length, beside what the file has; the newest ones if not all."""
        file = self._file
        if file is None or not vectors:
            return
        kept = {self._key(text): vector for text, vector in vectors.items()}
        shape = next(iter(kept.values())).shape
        for key, vector in self._read().items():
            if vector.shape == shape:
                kept.setdefault(key, vector)
        most = MAX_BYTES // (shape[0] * np.dtype(np.float32).itemsize + _KEY_BYTES)
        rows = list(kept.items())[:most]
        if rows:
            with suppress(OSError):
                _write(file, [key for key, _ in rows], np.stack([vector for _, vector in rows]))

    @property
    def _file(self) -> Path | None:
        return self._folder / f"{self._key('').hex()}{_SUFFIX}" if self._folder else None

    def _key(self, text: str) -> bytes:
        content = json.dumps([*self._identity, text]).encode()
        return hashlib.blake2b(content, digest_size=_KEY_BYTES).digest()

    def _read(self) -> dict[bytes, Vector]:
        file = self._file
        if file is None:
            return {}
        try:
            # Opened here: numpy leaves a file open that it cannot read.
            with file.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size > 2 * MAX_BYTES:
                    return {}
                with np.load(stream, allow_pickle=False) as stored:
                    keys, vectors = stored["keys"], stored["vectors"]
        except _UNREADABLE:
            return {}
        fits = keys.dtype == np.uint8 and vectors.dtype == np.float32 and vectors.ndim == 2  # noqa: PLR2004 - rows and columns
        if not fits or keys.shape != (len(vectors), _KEY_BYTES) or not np.isfinite(vectors).all():
            return {}
        return {bytes(key): vector for key, vector in zip(keys, vectors, strict=True)}


def _write(file: Path, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
    """Replace the file at once, whoever reads or writes it meanwhile. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            np.savez(
                stream,
                keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
                vectors=vectors,
            )
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise
    files = sorted(file.parent.glob(f"*{_SUFFIX}"), key=lambda each: each.stat().st_mtime)
    for each in files[:-MAX_FILES]:
        each.unlink()
