"""`deploy` and `envoy`: what `render` needs to know of the place that it renders for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from extproc.address import parse as parse_address
from extproc.config.model.types import FilePath, Section

_DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_OBJECT = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"


def parse_processor(value: str) -> str:
    """Check where a worker listens: `host:port` or `unix:path`. Raises ValueError."""
    parse_address(value)
    return value


ProcessorAddress = Annotated[str, AfterValidator(parse_processor)]


class ProcessorTls(Section):
    """TLS from the gateway to the processor: see `outerloop serve --tls-certificate`.

    An Envoy reads files; on Kubernetes the same is in Secrets.
    """

    san: str = Field(min_length=1, description="name that the certificate of the processor has")
    ca: FilePath | None = Field(None, description="CA file of that certificate")
    certificate: FilePath | None = Field(None, description="client certificate file of the gateway")
    key: FilePath | None = Field(None, description="key file of the client certificate")
    secret: str | None = Field(
        None,
        pattern=_OBJECT,
        description="Secret with `tls.crt`, `tls.key`, `ca.crt` of the processor",
    )
    client_secret: str | None = Field(
        None, pattern=_OBJECT, description="Secret with the gateway's client certificate"
    )


class ProcessorPlace(Section):
    """Where the gateway finds the processor."""

    addresses: tuple[ProcessorAddress, ...] = Field(
        (),
        description="`host:port` or `unix:path` of each worker; default: 127.0.0.1:9001, "
        "and on Kubernetes the Service",
    )
    tls: ProcessorTls | None = Field(None, description="TLS to the processor")


class Deploy(Section):
    """The place that `render` renders for; a processor that runs does not read it."""

    name: str = Field("outerloop", pattern=_DNS_LABEL, description="of Kubernetes objects")
    namespace: str = Field("default", pattern=_DNS_LABEL, description="of Kubernetes objects")
    image: str | None = Field(
        None,
        min_length=1,
        description="default: outerloop-extproc of this version",
    )
    gateway_class: str | None = Field(
        None,
        min_length=1,
        description="GatewayClass of Envoy Gateway (default eg); of Istio the `istio` label of the "
        "gateway, as `[namespace/]label`, or `mesh` for sidecars",
    )
    replicas: int = Field(2, ge=1, le=1000, description="pods of the processor, at least")
    max_replicas: int = Field(10, ge=1, le=1000, description="pods of the processor, at most")
    processor: ProcessorPlace = Field(ProcessorPlace(), description="where the gateway finds it")


class HttpFilters(Section):
    """Your own HTTP filters, as Envoy writes them: `name` and `typed_config`."""

    before_decision: tuple[dict[str, Any], ...] = Field(
        (), description="before bodies are read: CORS, JWT, external authorization, rate limits"
    )
    after_decision: tuple[dict[str, Any], ...] = Field(
        (), description="these see `x-outerloop-agent`: rate limits by agent"
    )


class OwnEnvoy(Section):
    """What is yours in the Envoy configuration, in `up` and where it is rendered."""

    http_filters: HttpFilters = Field(HttpFilters(), description="in the chain of each listener")
    per_route: dict[str, dict[str, Any]] = Field(
        {}, description="`typed_per_filter_config` of all routes, by the filter's name"
    )
    clusters: tuple[dict[str, Any], ...] = Field(
        (), description="clusters that your filters, or agents with `cluster`, need"
    )
