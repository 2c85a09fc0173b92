"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.speed.envoys import binary

_LIBRARIES: Final = ("outerloop-extproc", "grpcio", "protobuf", "uvloop", "aiohttp", "numpy")


def describe() -> Mapping[str, str]:
    """Return what is there to say of this machine and its software, by name."""
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        # A build with profile-guided optimization is a fifth faster: whose it is tells.
        "Python": f"{platform.python_implementation()} {sys.version}",
        "Envoy": _version(binary(), "--version"),
        "wrk": _version("wrk", "-v"),
        **{name: version(name) for name in _LIBRARIES},
        "Load average before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Commit": _commit(),
        "Date": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", _cpuinfo(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _commit() -> str:
    commit = _first_line("git", "rev-parse", "--short", "HEAD")
    return f"{commit}, with changes" if _first_line("git", "status", "--porcelain") else commit


def _first_line(*argv: str) -> str:
    return next(iter(_lines(*argv)), "")


def _version(*argv: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", " ".join(_lines(*argv)))
    return found[0] if found else ""


def _lines(*argv: str) -> list[str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
