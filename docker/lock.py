"""Writes requirements.txt and build.txt: what the image has, by version and hash.

    python3.13 docker/lock.py

Asks pip what it would install now for each machine that the image is made for, and notes the
hashes of the wheels.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parent
PYTHON: Final = "3.13"
"""As in the Dockerfile; pip decides by the one that it runs in what is for which version."""
EXTRAS: Final = ("languages", "mcp", "otel", "pii")
MACHINES: Final = ("x86_64", "aarch64")
GLIBC: Final = (17, 26, 27, 28, 31, 34)
"""Minor versions that wheels are made for; Debian's is newer (PEP 600)."""
_SEPARATORS: Final = re.compile(r"[-_.]+")
"""Of the parts of a name, which is the same with any of them (PEP 503)."""


def requirements() -> tuple[str, ...]:
    """Return what the image needs, extras included."""
    project = _pyproject()["project"]
    extras = (each for extra in EXTRAS for each in project["optional-dependencies"][extra])
    return (*project["dependencies"], *extras)


def build_requirements() -> tuple[str, ...]:
    """Return what makes a wheel of this folder."""
    return (*_pyproject()["build-system"]["requires"], "pip")


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lock(wanted: Iterable[str]) -> str:
    """Return the lines of a requirements file for all machines."""
    hashes: dict[str, set[str]] = {}
    for machine in MACHINES:
        for item in _resolved(wanted, machine):
            about, archive = item["metadata"], item["download_info"]["archive_info"]
            name = _SEPARATORS.sub("-", about["name"]).lower()
            pinned = f"{name}=={about['version']}"
            hashes.setdefault(pinned, set()).add(archive["hashes"]["sha256"])
    lines = (
        " \\\n".join((pinned, *(f"    --hash=sha256:{each}" for each in sorted(hashes[pinned]))))
        for pinned in sorted(hashes)
    )
    return "\n".join(("# Written by docker/lock.py.", *lines)) + "\n"


def _resolved(wanted: Iterable[str], machine: str) -> list[dict[str, Any]]:
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC]
    command = (
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--dry-run", "--ignore-installed", "--only-binary=:all:", "--report=-"),
        *(f"--python-version={PYTHON}", "--implementation=cp", *platforms),
        f"--platform=manylinux2014_{machine}",
        *wanted,
    )
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    installed: list[dict[str, Any]] = json.loads(found)["install"]
    return installed


def main() -> None:
    """Write both files."""
    if sys.version.split(".")[:2] != PYTHON.split("."):
        sys.exit(f"Run this with Python {PYTHON}, with pip.")
    for name, wanted in (("requirements", requirements()), ("build", build_requirements())):
        (FOLDER / f"{name}.txt").write_text(lock(wanted), encoding="utf-8")


if __name__ == "__main__":
    main()
