"""Environments of the peers: each has its own, and none of ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.speed.processes import NotStarted
from benchmarks.speed.setups import Front

FOLDER: Final = Path(__file__).parents[2] / ".peers"
_DONE: Final = ".installed"


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer by the packages that make it, as `pip` names them; the first one is its own."""

    front: Front
    packages: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.packages[0].partition("[")[0]

    @property
    def bin(self) -> Path:
        """The folder of its commands."""
        return FOLDER / self.name / "bin"

    def install(self) -> str:
        """Install it, unless it is there; return its version. Raises `NotStarted`."""
        done = FOLDER / self.name / _DONE
        wanted = "\n".join(self.packages)
        if not done.exists() or done.read_text() != wanted:
            _run(sys.executable, "-m", "venv", "--clear", str(FOLDER / self.name))
            _run(str(self.bin / "pip"), "install", "--quiet", *self.packages)
            done.write_text(wanted)
        shown = _run(str(self.bin / "pip"), "show", self.name)
        return next(
            line.partition(" ")[2] for line in shown.splitlines() if line.startswith("Version:")
        )


LITELLM: Final = Peer(Front.LITELLM, ("litellm[proxy]",))
EXTPROC_SDK: Final = Peer(
    Front.EXTPROC_SDK,
    # It does not say that it needs the last two, and does not work with a ddtrace of today.
    ("envoy-extproc-sdk", "ddtrace<2.9", "xds-protos", "grpcio-health-checking"),
)
INSTALLED: Final = (LITELLM, EXTPROC_SDK)
LEFT_OUT: Final = (
    "langgate-processor 0.4.1: its ext_proc server is a placeholder that raises an error.",
    "GCP service-extensions callouts: source, not a package.",
    "Plano 0.4.39, vLLM semantic-router 0.4.0: their packages fetch binaries or images to run.",
)
"""Peers that do not run here, and why."""


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(f"{' '.join(argv[:3])} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout
