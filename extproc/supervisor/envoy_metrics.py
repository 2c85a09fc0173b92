"""Envoy's figures as Prometheus metrics, as if they were counted here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from extproc.supervisor.figures import AgentFigures, Figures, ListenerFigures, Times

_AGENT: Final = ("agent", "variant")
_LISTENER: Final = ("listener",)
# Where Envoy's own buckets begin: they are ten times finer.
_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0),
)


class EnvoyCollector(Collector):
    """Shows figures as they were when it was made."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; those without samples too, so that their names are known."""
        yield from _of_exchanges(self._figures.agents)
        yield from _of_upstreams(self._figures.agents)
        yield from _of_listeners(self._figures.listeners)


def _of_exchanges(agents: Sequence[AgentFigures]) -> Iterator[Metric]:
    yield _counter(
        "outerloop_agent_responses",
        "Answers of agents after retries, Envoy's own 503 and 504 in their place included",
        (*_AGENT, "status_class"),
        _by_agent(agents, lambda each: each.responses),
    )
    yield _histogram(
        "outerloop_agent_response_seconds",
        "Whole exchanges with agents, streams and retries included: from the request's end to "
        "the answer's; the sum is estimated from the buckets",
        ((each, each.times) for each in agents),
    )
    yield _histogram(
        "outerloop_agent_first_byte_seconds",
        "From the beginning of the try that was answered, when Envoy begins to send the request, "
        "to the first byte of the answer's body: of a stream about its first token",
        ((each, each.first_byte) for each in agents),
    )
    yield _counter(
        "outerloop_agent_tokens",
        "Tokens that agents reported in their answers; nothing of agents that report none",
        (*_AGENT, "direction"),
        _by_agent(agents, lambda each: each.tokens),
    )


def _of_upstreams(agents: Sequence[AgentFigures]) -> Iterator[Metric]:
    yield _gauge(
        "outerloop_agent_hosts",
        "Hosts of agents: the healthy ones, those that are left out for their failures, and all",
        (*_AGENT, "state"),
        _by_agent(agents, _hosts),
    )
    yield _gauge(
        "outerloop_agent_active_requests",
        "Requests that are with agents now, streams included",
        _AGENT,
        _by_agent(agents, lambda each: each.active),
    )
    yield _counter(
        "outerloop_agent_retries",
        "Tries beyond the first one of a request",
        _AGENT,
        _by_agent(agents, lambda each: each.retries),
    )
    yield _counter(
        "outerloop_agent_overflows",
        "Times that a limit of an agent's circuit breaker was reached",
        (*_AGENT, "limit"),
        _by_agent(agents, lambda each: each.overflows),
    )
    yield _counter(
        "outerloop_agent_ejections",
        "Hosts of agents that were left out for a while, for their failures",
        _AGENT,
        _by_agent(agents, lambda each: each.ejections),
    )


def _of_listeners(listeners: Sequence[ListenerFigures]) -> Iterator[Metric]:
    yield _counter(
        "outerloop_listener_responses",
        "Answers that clients got, whoever gave them; health checks are left out",
        (*_LISTENER, "status_class"),
        _by_listener(listeners, lambda each: each.responses),
    )
    yield _gauge(
        "outerloop_listener_active_requests",
        "Requests of clients that run now, from the first header to the end of the answer",
        _LISTENER,
        _by_listener(listeners, lambda each: each.active),
    )
    yield _gauge(
        "outerloop_listener_connections",
        "Connections of clients",
        _LISTENER,
        _by_listener(listeners, lambda each: each.connections),
    )
    yield _counter(
        "outerloop_listener_refused_connections",
        "Connections closed at once, as there were limits.max_connections of them",
        _LISTENER,
        _by_listener(listeners, lambda each: each.refused),
    )
    yield _counter(
        "outerloop_decision_retries",
        "Requests that another worker was asked about, as the first one failed",
        _LISTENER,
        _by_listener(listeners, lambda each: each.asked_again),
    )
    yield _counter(
        "outerloop_undecided_requests",
        "Requests that no worker decided",
        _LISTENER,
        _by_listener(listeners, lambda each: each.undecided),
    )


_Value = float | Mapping[str, int]
_Sample = tuple[tuple[str, ...], float]


def _hosts(figures: AgentFigures) -> Mapping[str, int]:
    return {"healthy": figures.healthy, "ejected": figures.ejected, "total": figures.total}


def _by_agent(
    agents: Iterable[AgentFigures], value: Callable[[AgentFigures], _Value]
) -> Iterator[_Sample]:
    return _samples(((each.agent, each.variant), value(each)) for each in agents)


def _by_listener(
    listeners: Iterable[ListenerFigures], value: Callable[[ListenerFigures], _Value]
) -> Iterator[_Sample]:
    return _samples(((each.listener,), value(each)) for each in listeners)


def _samples(
    rows: Iterable[tuple[tuple[str, ...], _Value]],
) -> Iterator[_Sample]:
    """Yield the values with their labels; a mapping has one more label, its keys."""
    for labels, value in rows:
        if isinstance(value, Mapping):
            yield from (((*labels, key), each) for key, each in value.items())
        else:
            yield labels, value


def _counter(
    name: str, text: str, labels: Sequence[str], samples: Iterable[_Sample]
) -> CounterMetricFamily:
    metric = CounterMetricFamily(name, text, labels=labels)
    for values, count in samples:
        metric.add_metric(values, count)
    return metric


def _gauge(
    name: str, text: str, labels: Sequence[str], samples: Iterable[_Sample]
) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        metric.add_metric(values, value)
    return metric


def _histogram(
    name: str, text: str, rows: Iterable[tuple[AgentFigures, Times]]
) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(name, text, labels=_AGENT)
    for each, times in rows:
        metric.add_metric((each.agent, each.variant), list(_buckets(times)), times.sum / 1000)
    return metric


def _buckets(times: Times) -> Iterator[tuple[str, float]]:
    for bound in _BUCKETS:
        yield str(bound), times.below(bound * 1000)
    yield "+Inf", times.count
