"""`agents`: the HTTP services that requests go to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from extproc.config.model.types import (
    AddedHeader,
    Duration,
    FilePath,
    HeaderName,
    HeaderValue,
    Identifier,
    Percent,
    Secret,
    Section,
    Url,
)

_UINT32 = 2**32 - 1

SERVICE_DOMAIN = "svc.cluster.local"
"""What Kubernetes' names of services end in, where nobody has chosen otherwise."""

LoadBalancing = Literal["round_robin", "least_request", "random", "ring_hash", "maglev"]


RETRY_CONDITIONS = (
    "5xx",
    "connect-failure",
    "envoy-ratelimited",
    "gateway-error",
    "http3-post-connect-failure",
    "refused-stream",
    "reset",
    "reset-before-request",
    "retriable-4xx",
)
"""Envoy's `x-envoy-retry-on`; `retriable-status-codes` is what the numbers stand for."""


def _retry_condition(value: Any) -> str | int:  # noqa: ANN401 - whatever YAML gives
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if number in RETRY_CONDITIONS:
        return str(number)
    if isinstance(number, int) and 400 <= number <= 599:  # noqa: PLR2004 - HTTP's error statuses
        return number
    raise ValueError(f"must be a status of 400 to 599 or one of {', '.join(RETRY_CONDITIONS)}")


class Retries(Section):
    """When Envoy sends a request again."""

    num_retries: int = Field(1, ge=0, le=10, description="further tries after the first")
    retry_on: tuple[Annotated[str | int, BeforeValidator(_retry_condition)], ...] = Field(
        ("connect-failure", "refused-stream", "reset-before-request"),
        description="Envoy's retry conditions; a number is a status code",
    )
    per_try_timeout: Duration | None = Field(None, description="time to the first byte of a try")


class CircuitBreaker(Section):
    """Most of what may go on at once in one agent's cluster; more is answered `overloaded`."""

    max_connections: int = Field(4096, ge=1, le=_UINT32, description="connections")
    max_pending_requests: int = Field(
        4096, ge=1, le=_UINT32, description="requests waiting for a connection"
    )
    max_requests: int = Field(4096, ge=1, le=_UINT32, description="requests running")
    max_retries: int = Field(1024, ge=0, le=_UINT32, description="retries running")


class OutlierDetection(Section):
    """When a host that fails is left out for a while."""

    consecutive_gateway_failure: int = Field(
        5,
        ge=0,
        le=_UINT32,
        description="502, 503, 504 or failed connections in a row; 0 turns it off",
    )
    interval: Duration = Field(timedelta(seconds=10), description="how often Envoy looks")
    base_ejection_time: Duration = Field(timedelta(seconds=30), description="first time out")
    max_ejection_percent: int = Field(100, ge=0, le=100, description="share of hosts left out")


class HealthCheck(Section):
    """Active health checks of an agent's hosts."""

    path: str = Field(
        "/healthz", pattern=r"^/[!-~]*$", description="asked with GET; 200 is healthy"
    )
    interval: Duration = Field(timedelta(seconds=10), description="between two checks")


class Upstream(Section):
    """Where an agent, or one variant of it, is."""

    url: Url | None = Field(None, description="one service; a path is kept as prefix")
    endpoints: tuple[Url, ...] | None = Field(
        None, min_length=1, description="several hosts, balanced"
    )
    failover: tuple[Url, ...] = Field((), description="used when the first group is unhealthy")

    @property
    def urls(self) -> tuple[str, ...]:
        """The hosts of the first group; none where they are said in another way."""
        return self.endpoints or ((self.url,) if self.url is not None else ())


class Variant(Upstream):
    """One side of an A/B test or canary."""

    id: Identifier = Field(description="name in headers, logs and metrics")
    weight: int = Field(
        ge=0, le=1_000_000, description="share of the requests; weights have any total"
    )


class SessionAffinity(Section):
    """Keeps a caller on the same variant (and host, with ring_hash or maglev)."""

    header: HeaderName = Field(description="request header that names the caller")


class Mirror(Section):
    """Copies of requests whose answers are thrown away."""

    url: Url = Field(description="where the copies go")
    percent: Percent = Field(100.0, description="share of requests copied")


class UpstreamTls(Section):
    """TLS towards an https upstream."""

    ca: FilePath | None = Field(None, description="CA file; default: the system's")
    certificate: FilePath | None = Field(None, description="client certificate file")
    key: FilePath | None = Field(None, description="key file of the client certificate")


class Agent(Upstream):
    """One agent."""

    id: Identifier = Field(description="its name everywhere: headers, logs, `model`")
    enabled: bool = Field(True, description="false: as if it were not in the file")
    cluster: str | None = Field(
        None, min_length=1, description="a cluster that the existing Envoy has"
    )
    service: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\.[a-z0-9]([a-z0-9-]*[a-z0-9])?:[1-9][0-9]{0,4}$",
        description="`name.namespace:port` of a Kubernetes or mesh service",
    )
    http2: bool = Field(False, description="speak HTTP/2 to the agent")
    tls: UpstreamTls = Field(UpstreamTls(), description="CA and client certificate for https")
    load_balancing: LoadBalancing = Field("least_request", description="how hosts are chosen")
    timeout: Duration | None = Field(
        None, description="the whole exchange, stream included; default: the listener's"
    )
    idle_timeout: Duration = Field(timedelta(seconds=300), description="longest silence")
    retries: Retries = Field(Retries(), description="when Envoy sends a request again")
    circuit_breaker: CircuitBreaker = Field(CircuitBreaker(), description="limits at once")
    outlier_detection: OutlierDetection = Field(
        OutlierDetection(), description="when a failing host is left out"
    )
    health_check: HealthCheck | None = Field(None, description="active health checks")
    fallback: Identifier | None = Field(
        None, description="agent that takes over when this one is wholly down"
    )
    variants: tuple[Variant, ...] | None = Field(None, min_length=1, description="A/B and canary")
    session_affinity: SessionAffinity | None = Field(None, description="same caller, same variant")
    mirror: Mirror | None = Field(None, description="copies thrown away")
    model: str | None = Field(None, min_length=1, description="replaces the body's model")
    access_key: Secret | None = Field(
        None, description="sent instead of the caller's authorization"
    )
    headers: dict[AddedHeader, HeaderValue] = Field(
        {}, description="added to requests for the agent"
    )
    forward_authorization: bool | None = Field(
        None, description="pass the caller's on; default: true, false where access_key is set"
    )

    @property
    def urls(self) -> tuple[str, ...]:
        """The hosts of the first group, a service by its name in the cluster's DNS."""
        if self.service is None:
            return super().urls
        host, _, port = self.service.partition(":")
        return (f"http://{host}.{SERVICE_DOMAIN}:{port}",)

    @property
    def forwards_authorization(self) -> bool:
        """True where the agent gets the caller's credentials."""
        if self.forward_authorization is None:
            return self.access_key is None
        return self.forward_authorization
