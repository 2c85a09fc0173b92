"""How long `outerloop up` takes until it serves, and a changed file until it is in force."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from benchmarks.speed import usage
from benchmarks.speed.cases import Load
from benchmarks.speed.load import PATH
from benchmarks.speed.measuring import Bench
from benchmarks.speed.processes import Child, Children, NotStarted, get
from benchmarks.speed.setups import Places, Setup, configuration
from benchmarks.speed.stacks import outerloop

_WITHIN: Final = 300.0
_POLL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds of each try, and the bytes that processes held after the last one, by role."""

    agents: int
    start: list[float] = field(default_factory=list)
    reload: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)


def look(bench: Bench, counts: tuple[int, ...], tries: int) -> list[Starts]:
    """Start and reload so often with each number of agents. Raises `NotStarted` and OSError."""
    found = [Starts(count) for count in counts]
    for number in range(tries):
        for starts in found:
            bench.progress(f"starting: {starts.agents} agents, try {number + 1} of {tries}")
            _try(starts, bench, f"up-{starts.agents}-{number}")
    return found


def _try(starts: Starts, bench: Bench, name: str) -> None:
    """Start, add an agent, and wait until a request reaches it."""
    folder, upstream = bench.place(name), bench.upstream
    places = Places(upstream.answers, upstream.services, 1)
    file = folder / "outerloop.yaml"
    file.write_text(configuration(Setup(agents=starts.agents), places))
    argv = (
        *(outerloop(), "up", "-c", str(file), "--admin", "127.0.0.1:0"),
        *("--drain-time", "0", "--log-level", "error"),
    )
    with Children() as children:
        began = time.monotonic()
        child = children.start("up", argv, folder)
        admin = child.line("admin ", _WITHIN)
        starts.start.append(time.monotonic() - began)
        host = urlsplit(child.line("listener ").split()[-1])
        fresh = file.with_suffix(".new")
        fresh.write_text(configuration(Setup(agents=starts.agents + 1), places))
        began = time.monotonic()
        fresh.replace(file)
        _reached(host.netloc, starts.agents + 1, child)
        starts.reload.append(time.monotonic() - began)
        ready = json.loads(get(f"{admin}/readyz"))
        starts.memory["supervisor"] = usage.resident((child.pid,))
        starts.memory["processor"] = usage.resident(each["pid"] for each in ready["workers"])
        starts.memory["envoy"] = usage.resident((ready["envoy"]["pid"],))


def _reached(host: str, agents: int, child: Child) -> None:
    """Return when requests go to the last of so many agents."""
    body = Load(explicit=True).body(agents)
    headers = {"content-type": "application/json"}
    end = time.monotonic() + _WITHIN
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.getheader("x-outerloop-agent") == f"agent-{agents - 1}" and answer.status == 200:  # noqa: PLR2004 - HTTP's
            return
        time.sleep(_POLL)
    raise NotStarted(f"a changed file was not in force within {_WITHIN:.0f} s\n{child.said()}")
