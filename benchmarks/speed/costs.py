"""What decisions cost within a worker: read from what `timed/sitecustomize.py` adds up there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

_TIMED: Final = Path(__file__).with_name("timed")
_SUM: Final = Struct("=Q")


@dataclass(frozen=True, slots=True)
class Costs:
    """The decisions of a worker that is started with `environment`, in a file of its own."""

    file: Path

    def __post_init__(self) -> None:
        """Begin with none."""
        self.file.write_bytes(bytes(_SUM.size))

    @property
    def environment(self) -> dict[str, str]:
        """What makes Python time them."""
        paths = os.pathsep.join((str(_TIMED), *filter(None, (os.environ.get("PYTHONPATH"),))))
        return {"PYTHONPATH": paths, "OUTERLOOP_BENCH_DECISIONS": str(self.file)}

    def cpu_ns(self) -> int:
        """Return the nanoseconds of CPU that decisions took so far."""
        [spent] = _SUM.unpack(self.file.read_bytes())
        return int(spent)
