"""What a decision costs alone: `python -m benchmarks.speed.deciding AGENTS SIZE COUNT`.

Decides distinct texts in this process, one after another, and prints JSON: `cpu_us` for a decision,
and how long it took, `p50_ms` and `p99_ms`. Parsing the request is part of it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.speed.requests import MARK, chat, topics
from benchmarks.speed.setups import Places, Setup, configuration


async def decide(agents: int, size: int, count: int) -> dict[str, float]:
    """Decide so many requests; return what each took."""
    from extproc.config.load import loads
    from extproc.egress import Egress
    from extproc.generations import freeze
    from extproc.http import Headers, HttpRequest
    from extproc.pipeline import Pipeline
    from extproc.runtime import build

    text = configuration(Setup(agents=agents), Places(1, 1, 1))
    config = loads(text, "benchmark", {}, Path()).config
    egress = Egress()
    runtime = build(config, generation=1, caller=egress)
    pipeline = Pipeline(runtime)
    [listener] = runtime.listeners.values()
    freeze()
    body = chat(topics(agents)[-1], size=size, distinct=True)
    took = []
    warm = max(1, count // 10)
    for number in range(warm + count):
        whole = body.replace(MARK.encode(), b"%012d" % number)
        request = HttpRequest("POST", "/v1/chat/completions", Headers(()), whole)
        if number == warm:
            began = time.process_time()
        before = time.perf_counter()
        await pipeline.decide(listener, request)
        took.append((time.perf_counter() - before) * 1000)
    cpu = (time.process_time() - began) / count * 1e6
    await egress.close()
    cuts = statistics.quantiles(took[warm:], n=100)
    return {"cpu_us": cpu, "p50_ms": cuts[49], "p99_ms": cuts[98]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(decide(*map(int, sys.argv[1:])))) + "\n")
