"""The load: `wrk`, which sends the next request of a connection when the last one is answered."""

from __future__ import annotations

import itertools
import json
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.speed.processes import NotStarted
from benchmarks.speed.requests import MARK

PATH: Final = "/v1/chat/completions"
SCRIPT: Final = Path(__file__).with_name("wrk.lua")
HOW_TO_GET: Final = "wrk is not installed: apt-get install wrk, or brew install wrk"
_RESULT: Final = "result "
_PATIENCE: Final = 60
"""Seconds after which `wrk` counts an answer as one that did not come."""
_MARGIN: Final = 1000
_MOST_IN_A_RUN: Final = 10**7
_first = itertools.count(0, _MOST_IN_A_RUN)
"""Numbers of distinct requests: a later run must not send the texts of an earlier one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `wrk` saw. Times are milliseconds; `errors` by their kind, only those that were."""

    seconds: float
    requests: int
    bytes: int
    p50: float
    p99: float
    errors: Mapping[str, int]


def require() -> None:
    """Raise `NotStarted` where there is no load generator, and say how to get one."""
    if shutil.which("wrk") is None:
        raise NotStarted(HOW_TO_GET)


def allow_connections() -> int:
    """Allow this process and those it starts as many open files as may be; return how many.

    That is the most connections of a case, with some left for everything else.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most - _MARGIN


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent: `pause` are milliseconds between an answer and the next request."""

    body: Path
    connections: int = 1
    pause: int = 0
    headers: tuple[tuple[str, str], ...] = ()


def drive(url: str, sending: Sending, seconds: float) -> Outcome:
    """Post a body over and over for so long. Raises `NotStarted` where nothing came of it."""
    pairs = (word for pair in sending.headers for word in pair)
    number = str(next(_first))
    argv = (
        *("wrk", "--threads", "1", "--connections", str(sending.connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{_PATIENCE}s"),
        *("--script", str(SCRIPT), url + PATH),
        *("--", str(sending.body), number, MARK, str(sending.pause), *pairs),
    )
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return read(done.stdout + done.stderr)


def read(output: str) -> Outcome:
    """Read what `wrk.lua` reports at the end. Raises `NotStarted` where it reports nothing."""
    for line in output.splitlines():
        if line.startswith(_RESULT):
            found = json.loads(line.removeprefix(_RESULT))
            kinds = ("connect", "read", "write", "status", "timeout")
            return Outcome(
                seconds=found["microseconds"] / 1e6,
                requests=found["requests"],
                bytes=found["bytes"],
                p50=found["p50_us"] / 1e3,
                p99=found["p99_us"] / 1e3,
                errors={kind: found[kind] for kind in kinds if found[kind]},
            )
    raise NotStarted(f"wrk reported nothing:\n{output.strip()}")
