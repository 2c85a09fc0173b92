"""Install the peers, run them and ours in turns, and write what was found; see ../../README.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.speed import load, report, stacks
from benchmarks.speed.__main__ import NOT_STARTED, RESULTS, progress, stop
from benchmarks.speed.cases import ALONE, EXPLICIT, Load, Series, Variant
from benchmarks.speed.machine import describe
from benchmarks.speed.measuring import Bench, Plan, measure
from benchmarks.speed.peers.environments import INSTALLED, LEFT_OUT, LITELLM, Peer
from benchmarks.speed.peers.running import EVENTS, KEY, start
from benchmarks.speed.processes import NotStarted
from benchmarks.speed.results import Run
from benchmarks.speed.setups import Front, Setup

_KEY: Final = ("authorization", f"Bearer {KEY}")


def main() -> int:
    """Return 0, 1 where something failed on the way, or 3 where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--output", type=Path, help="folder to write to (benchmarks/results)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        load.require()
        run = _run(quick=options.quick)
    except NotStarted as error:
        sys.stderr.write(f"{error}\n")
        return NOT_STARTED
    place = RESULTS / "quick" if options.quick else RESULTS
    print(f"written to {report.write(run, options.output or place / 'peers').parent}")
    faults = list(run.faults())
    for fault in faults:
        print(f"fault: {fault}")
    return 1 if faults else 0


def _run(*, quick: bool) -> Run:
    tell = progress()
    versions, notes, peers = {}, list(LEFT_OUT), []
    for peer in INSTALLED:
        tell(f"installing {peer.name}")
        try:
            versions[peer.name] = peer.install()
            peers.append(peer)
        except NotStarted as error:
            notes.append(f"{peer.name}: could not be installed. {error}")
    run = Run({**describe(), **versions}, " ".join(("make bench-peers", *sys.argv[1:])))
    run.notes = notes
    plan = Plan(1 if quick else 5, 1 if quick else 4, load.allow_connections())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with stacks.upstreams(folder) as upstream:
            bench = Bench(plan, upstream, folder, start, tell)
            for series in (_routing(peers), _streaming(peers)):
                with run.going_on(series.name):
                    run.series.append((series, measure(series, bench)))
    return run


def _routing(peers: list[Peer]) -> Series:
    fronts = [(EXPLICIT, Front.PROCESSOR), *((peer.name, peer.front) for peer in peers)]
    return Series(
        "routing",
        "Routing by the model's name",
        "The same request, to the same agents. What is not Envoy's is the peer's or the "
        "processor's.",
        EXPLICIT,
        tuple(
            Variant(
                name,
                Setup(front),
                Load(connections=count, explicit=True, headers=(_KEY,)),
                count,
                "explicit" if front is Front.PROCESSOR else None,
            )
            for count in (1, 16, 64)
            for name, front in ((ALONE, Front.ALONE), *fronts)
        ),
        axis="connections",
    )


def _streaming(peers: list[Peer]) -> Series:
    fronts = [(ALONE, Front.ALONE), (EXPLICIT, Front.PROCESSOR)]
    fronts += [(peer.name, peer.front) for peer in peers if peer is LITELLM]
    headers = (_KEY, ("x-bench-events", f"{EVENTS},0"))
    wanted = Load(connections=4, explicit=True, stream=True, headers=headers, windows=2)
    return Series(
        "streaming",
        f"Streams of {EVENTS} events",
        "A proxy that reads every event pays for every event.",
        EXPLICIT,
        tuple(
            Variant(
                name,
                Setup(front, streams=True),
                wanted,
                source="explicit" if front is Front.PROCESSOR else None,
            )
            for name, front in fronts
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
