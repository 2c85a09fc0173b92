"""Stacks that run: Envoy and the processor beside each other, each a process of its own.

Envoy has what `outerloop render` prints, the processor is `outerloop serve`; an empty server stands
in its place on the same socket. So all of them are asked by one and the same Envoy.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.speed import envoys
from benchmarks.speed.costs import Costs
from benchmarks.speed.envoys import MANAGER, Envoy
from benchmarks.speed.processes import PYTHON, Children, NotStarted, free_port, get
from benchmarks.speed.setups import EMPTY, Front, Places, Setup, configuration

ENVOY_THREADS: Final = 2
"""Of each Envoy under test, whatever the machine has: figures of two machines are to compare."""
_ACTIVE: Final = f"http.{MANAGER}.downstream_rq_active"
_BEGUN: Final = f"http.{MANAGER}.downstream_rq_total"
_REQUESTS: Final = re.compile(r"^outerloop_requests_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Upstreams:
    """What all stacks of a run send to: one Envoy that answers, and `services`."""

    answers: int
    services: int
    processes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack. `roles` are its processes by what they are for."""

    url: str
    roles: Mapping[str, tuple[int, ...]]
    envoy: Envoy | None = None
    admin: str | None = None
    """Where the processor tells of itself."""
    costs: Costs | None = None
    """What its decisions cost, where they are timed."""

    def begun(self) -> int | None:
        """Return how many requests Envoy has seen so far; None where there is no Envoy."""
        return self.envoy.stat(_BEGUN) if self.envoy is not None else None

    def settle(self) -> None:
        """Return when no request runs any more."""
        if self.envoy is None:
            time.sleep(1)
        else:
            self.envoy.wait(_ACTIVE, 0)

    def decided(self) -> Counter[str]:
        """Return how many requests the processor ended so far, by `outcome source`."""
        found: Counter[str] = Counter()
        if self.admin is not None:
            for labels, value in _REQUESTS.findall(get(f"{self.admin}/metrics")):
                by_name = dict(_LABEL.findall(labels))
                found[f"{by_name['outcome']} {by_name['source']}".strip()] += int(float(value))
        return found

    def troubles(self) -> Counter[str]:
        """Return how often each thing happened so far that Envoy counts and that should not."""
        return self.envoy.troubles() if self.envoy is not None else Counter()

    def cached(self) -> bool:
        """Return whether all of the last decisions were remembered ones."""
        if self.admin is None:
            return False
        last = json.loads(get(f"{self.admin}/decisions?limit=50"))
        return bool(last) and all(each["cached"] for each in last)


@contextmanager
def upstreams(folder: Path) -> Iterator[Upstreams]:
    """Run what agents, models and filters are."""
    with Children() as children:
        answers = Envoy("answers", envoys.answering(), folder, 1, children)
        argv = (PYTHON, "-m", "benchmarks.speed.services")
        services = children.start("services", argv, folder)
        yield Upstreams(
            answers.port(), int(services.line("port ")), (answers.child.pid, services.pid)
        )


def start(setup: Setup, upstream: Upstreams, folder: Path, children: Children) -> Stack:
    """Start a stack and wait until it serves, as one of `children`. Raises `NotStarted`.

    `folder` is its own.
    """
    if setup.front is Front.ALONE:
        port = upstream.services if setup.streams else upstream.answers
        envoy = Envoy("envoy", envoys.forwarding(port), folder, ENVOY_THREADS, children)
        return Stack(_url(envoy), {"envoy": (envoy.child.pid,)}, envoy)
    text = configuration(setup, Places(upstream.answers, upstream.services, free_port()))
    sockets = tuple(folder / f"p.sock{f'.{n}' if n else ''}" for n in range(setup.workers))
    run = _empty if setup.front in EMPTY else _serve
    roles, admin, costs = run(setup, text, sockets[0], folder, children)
    envoy = with_envoy(text, sockets, folder, children)
    return Stack(_url(envoy), {"envoy": (envoy.child.pid,), **roles}, envoy, admin, costs)


def with_envoy(text: str, sockets: tuple[Path, ...], folder: Path, children: Children) -> Envoy:
    """Run the Envoy of a configuration; wait until it sees who serves on `sockets`."""
    # Slow to import, and not needed by the peers' processes.
    from extproc.address import PipeAddress, SocketAddress, parse
    from extproc.config.load import loads
    from extproc.envoyconf.build import Places as EnvoyPlaces
    from extproc.envoyconf.build import build
    from extproc.envoyconf.render.bootstrap import render

    config = loads(text, "benchmark", {}, folder).config
    places = EnvoyPlaces(
        processor=tuple(PipeAddress(str(socket)) for socket in sockets),
        admin=SocketAddress("127.0.0.1", 0),
        egress=parse((config.egress.url or "").removeprefix("http://")),
        complete=True,
    )
    bootstrap = render(build(config, places))
    envoy = Envoy("envoy", bootstrap, folder, ENVOY_THREADS, children)
    envoy.wait("cluster.processor.membership_healthy", len(sockets))
    return envoy


_Started = tuple[dict[str, tuple[int, ...]], str | None, Costs | None]


def _serve(setup: Setup, text: str, socket: Path, folder: Path, children: Children) -> _Started:
    file = folder / "outerloop.yaml"
    file.write_text(text)
    argv = (
        *(outerloop(), "serve", "-c", str(file), "--bind", f"unix:{socket}"),
        *("--admin", "127.0.0.1:0", "--workers", str(setup.workers)),
        *("--drain-time", "0", "--log-level", "error"),
    )
    costs = Costs(folder / "decisions") if setup.timed else None
    child = children.start("serve", argv, folder, costs.environment if costs else None)
    admin = child.line("admin ")
    workers = json.loads(get(f"{admin}/readyz"))["workers"]
    return (
        {
            "processor": tuple(worker["pid"] for worker in workers),
            "supervisor": (child.pid,),
        },
        admin,
        costs,
    )


def _empty(setup: Setup, _text: str, socket: Path, folder: Path, children: Children) -> _Started:
    form = setup.front.name.lower()
    argv = (PYTHON, "-m", "benchmarks.speed.empty_processor", form, f"unix:{socket}")
    child = children.start("empty", argv, folder)
    child.line("ready")
    return {"processor": (child.pid,)}, None, None


def outerloop() -> str:
    """Return the path of the command. Raises `NotStarted`."""
    command = Path(PYTHON).with_name("outerloop")
    if not command.exists():
        raise NotStarted("outerloop is not installed: make install")
    return str(command)


def _url(envoy: Envoy) -> str:
    return f"http://127.0.0.1:{envoy.port()}"


Starter = Callable[[Setup, Upstreams, Path, Children], Stack]
