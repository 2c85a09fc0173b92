"""The cases, as data: what is set up, what is sent to it, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.speed.requests import KIB, MIB, chat, topics
from benchmarks.speed.setups import PLAN_HEADER, Front, Setup


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: a conversation of `messages`, of `size` bytes if they need no more.

    `explicit` ones name the agent, `distinct` ones have texts of their own, `stream` ones ask for a
    stream. A connection waits `pause` milliseconds before its next one. `windows` is how long to
    send, in windows of the run.
    """

    connections: int = 16
    size: int = KIB
    messages: int = 1
    explicit: bool = False
    distinct: bool = False
    stream: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    pause: int = 0
    windows: int = 1

    def body(self, agents: int) -> bytes:
        """Return the request: it is about the last one of so many agents."""
        model = {"model": f"agent-{agents - 1}"} if self.explicit else {}
        stream = {"stream": True} if self.stream else {}
        return chat(
            topics(agents)[-1],
            size=self.size,
            messages=self.messages,
            distinct=self.distinct,
            more={**model, **stream},
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of a table: `line` and `x` are where it is in a plot.

    All requests must be decided by `source`; None where nobody tells. `cached` where all must be
    remembered ones. Those that are not `quick` are left out of a quick run.
    """

    line: str
    setup: Setup
    load: Load
    x: int = 0
    source: str | None = None
    cached: bool = False
    quick: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """Variants that take turns in one run, and so can be compared; `base` is the line to divide by.

    `axis` is what x is. `says` tells who reads the table what to look at. `often`: as many rounds
    are measured for each of other series, where ratios are near their limits.
    """

    name: str
    title: str
    says: str
    base: str
    variants: tuple[Variant, ...]
    axis: str = ""
    often: int = 1


ALONE: Final = "Envoy alone"
EXPLICIT: Final = "explicit"
UNCOUNTED: Final = "explicit, tokens not counted"
SHORTEST: Final = "empty server, shortest"
_EXPLICIT: Final = Load(explicit=True)
_DISTINCT: Final = Load(distinct=True)


def _explicit(load: Load = _EXPLICIT, x: int = 0, *, quick: bool = True) -> Variant:
    return Variant(EXPLICIT, Setup(), load, x, "explicit", quick=quick)


def _alone(load: Load = _EXPLICIT, x: int = 0, *, quick: bool = True) -> Variant:
    return Variant(ALONE, Setup(Front.ALONE), load, x, quick=quick)


FRONT: Final = Series(
    "front",
    "What asking costs",
    "One and the same Envoy asks an ext_proc server that looks at nothing, and the processor.",
    SHORTEST,
    (
        _alone(),
        Variant("empty server, generator", Setup(Front.GENERATOR), _EXPLICIT),
        Variant("empty server, generator on uvloop", Setup(Front.UVLOOP), _EXPLICIT),
        Variant(SHORTEST, Setup(Front.SHORTEST), _EXPLICIT),
        Variant("one agent", Setup(agents=1), Load(), source="single"),
        _explicit(),
    ),
    often=3,
)


def _embedded(agents: int, *, quick: bool = True) -> Variant:
    return Variant(
        "embedded",
        Setup(agents=agents, timed=True),
        _DISTINCT,
        agents,
        source="embedded",
        quick=quick,
    )


AGENTS: Final = Series(
    "agents",
    "Deciding among many agents",
    "Each text is a new one, but for those that are remembered.",
    EXPLICIT,
    (
        _explicit(x=2),
        _embedded(10),
        _embedded(100),
        _embedded(1000, quick=False),
        Variant("remembered", Setup(agents=100), Load(), 100, "embedded", cached=True),
    ),
    axis="agents",
)

_MODEL_LOAD: Final = Load(connections=64, distinct=True)
MODEL: Final = Series(
    "model",
    "Asking a model",
    "The model is a fake one that takes as long as said. Look at what is added to that time.",
    EXPLICIT,
    (
        _explicit(replace(_EXPLICIT, connections=64)),
        *(
            Variant(f"model of {ms} ms", Setup(model=(ms, 0)), _MODEL_LOAD, source="model")
            for ms in (0, 50, 500)
        ),
    ),
)

_PLANNED: Final = Load(headers=((PLAN_HEADER, "1"),))
CALLS: Final = Series(
    "calls",
    "A filter, and a plan of two agents",
    "Each is one call more that the processor makes, through Envoy.",
    EXPLICIT,
    (
        _explicit(),
        Variant("one HTTP filter", Setup(filtered=True), _EXPLICIT, source="explicit"),
        Variant("plan of two", Setup(), _PLANNED, source="rule"),
    ),
)

CONCURRENCY: Final = Series(
    "concurrency",
    "Connections",
    "Each has one request at a time. Latency grows with them where a core is full.",
    ALONE,
    tuple(
        make(replace(_EXPLICIT, connections=count), count, quick=count in {1, 64})
        for count in (1, 4, 16, 64, 256, 512)
        for make in (_alone, _explicit)
    ),
    axis="connections",
)


def _of_size(size: int) -> tuple[Variant, ...]:
    quick = size in {KIB, MIB}
    load = Load(connections=1, size=size, explicit=True)
    embedded = replace(load, explicit=False, distinct=True)
    return (
        _alone(load, size, quick=quick),
        _explicit(load, size, quick=quick or size == 20 * MIB),
        Variant("embedded", Setup(agents=10), embedded, size, "embedded", quick=quick),
    )


BODIES: Final = Series(
    "bodies",
    "Size of the request",
    "One request at a time. Memory is the peak beyond what the process held before.",
    ALONE,
    tuple(
        variant
        for size in (KIB, 10 * KIB, 100 * KIB, MIB, 5 * MIB, 20 * MIB)
        for variant in _of_size(size)
    ),
    axis="bytes",
)


def _of_messages(messages: int) -> tuple[Variant, ...]:
    quick = messages in {1, 1000}
    load = Load(connections=8, messages=messages, explicit=True)
    distinct = replace(load, explicit=False, distinct=True)
    return (
        _explicit(load, messages, quick=quick),
        Variant("embedded", Setup(agents=10), distinct, messages, "embedded", quick=quick),
    )


MESSAGES: Final = Series(
    "messages",
    "Length of the conversation",
    "Each message before the last one has 200 bytes.",
    EXPLICIT,
    tuple(variant for count in (1, 10, 100, 1000, 2000) for variant in _of_messages(count)),
    axis="messages",
)


def _streaming(events: int, *, quick: bool = True) -> tuple[Variant, ...]:
    # Pauses make the rates alike: a process that is asked less often does more for each request.
    headers = (("x-bench-events", f"{events},0"),)
    load = Load(connections=8, explicit=True, headers=headers, pause=50)
    return (
        Variant(ALONE, Setup(Front.ALONE, streams=True), load, events, quick=quick),
        Variant(SHORTEST, Setup(Front.SHORTEST, streams=True), load, events, quick=quick),
        Variant(EXPLICIT, Setup(streams=True), load, events, "explicit", quick=quick),
        Variant(
            UNCOUNTED, Setup(streams=True, tokens=False), load, events, "explicit", quick=quick
        ),
    )


STREAMS: Final = Series(
    "streams",
    "Length of the answer",
    "An agent streams events of some 150 bytes, to clients that pause: look at the CPU. The "
    "processor's must not grow with them, or not more than that of an empty server, which shares "
    "the machine's caches with Envoy too.",
    ALONE,
    (
        *_streaming(1),
        *_streaming(100, quick=False),
        *_streaming(1000, quick=False),
        *_streaming(10_000),
    ),
    axis="events",
)

WAITING: Final = Series(
    "waiting",
    "Requests that wait for a slow model",
    "It takes 500 ms, give or take 250. Memory is the peak for each connection, which all have a "
    "request with the processor.",
    "waiting",
    tuple(
        Variant(
            "waiting",
            Setup(model=(500, 250)),
            Load(connections=count, distinct=True, windows=3),
            count,
            "model",
            quick=count in {100, 1000},
        )
        for count in (100, 500, 1000, 2000, 5000)
    ),
    axis="requests",
)

WORKERS: Final = Series(
    "workers",
    "Workers",
    "More of them help where there are cores for them beside Envoy and the load.",
    "1 worker",
    tuple(
        Variant(
            f"{count} worker{'s' if count > 1 else ''}",
            Setup(workers=count),
            replace(_EXPLICIT, connections=64),
            source="explicit",
        )
        for count in (1, 2)
    ),
)

ALL: Final = (
    FRONT,
    AGENTS,
    MODEL,
    CALLS,
    CONCURRENCY,
    BODIES,
    MESSAGES,
    STREAMS,
    WAITING,
    WORKERS,
)
