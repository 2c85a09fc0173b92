"""The whole file."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from extproc.config.model.agents import Agent
from extproc.config.model.deploy import Deploy, OwnEnvoy
from extproc.config.model.filters import Filter
from extproc.config.model.listeners import Listener
from extproc.config.model.orchestrator import OrchestratorConfig
from extproc.config.model.types import (
    Duration,
    IpAddress,
    Names,
    Percent,
    Port,
    Section,
    Size,
    Url,
)


class Limits(Section):
    """What one request may cost."""

    max_request_bytes: Size = Field(32 * 2**20, description="request body, also inflated")
    max_response_bytes: Size = Field(
        32 * 2**20, description="read of an earlier agent, a filter or a model"
    )
    max_conversation_messages: int = Field(
        2000, ge=1, le=1_000_000, description="entries of a conversation"
    )
    max_json_depth: int = Field(100, ge=4, le=500, description="nesting of a request body")
    max_connections: int = Field(
        50_000, ge=1, le=2**31 - 1, description="client connections of a listener"
    )
    decompress: tuple[Literal["gzip", "br", "zstd"], ...] = Field(
        (), description="content-encodings that are inflated; others are answered 415"
    )
    request_timeout: Duration = Field(
        timedelta(seconds=120), description="for the whole request to arrive"
    )
    request_headers_timeout: Duration = Field(
        timedelta(seconds=10), description="for the request headers to arrive"
    )


class Observability(Section):
    """What is told about decisions."""

    response_headers: Literal["none", "basic", "full"] = Field(
        "basic", description="which x-outerloop-* headers clients get"
    )
    access_log: str | None = Field(
        "stdout", min_length=1, description="stdout, a file, or null for none"
    )
    tokens: bool = Field(
        True, description="count the tokens that agents report, in Envoy; answers pass as they are"
    )
    decisions: int = Field(200, ge=0, le=10_000, description="last decisions kept for the admin")
    capture_prompts: bool = Field(False, description="keep prompts with the decisions")


class Admin(Section):
    """Health, metrics and the status page."""

    address: IpAddress = Field("127.0.0.1", description="where the admin listens")
    port: Port = Field(9902, description="0: any free one, printed when ready")


class Egress(Section):
    """Beside a gateway: the way out."""

    url: Url | None = Field(None, description="where filters, models and earlier agents are called")


class SpanAttributes(Section):
    """What spans carry beside our own attributes."""

    header_prefixes: Names = Field((), description="request headers copied to spans")
    static: dict[str, str] = Field({}, description="attributes of every span")


class Tracing(Section):
    """OpenTelemetry."""

    random_sampling: Percent = Field(100.0, description="share of requests traced")
    otlp_endpoint: Url | None = Field(None, description="collector; grpc (4317) or http (4318)")
    span_attributes: SpanAttributes = Field(SpanAttributes(), description="more attributes")


class Config(Section):
    """One YAML file, validated."""

    version: Literal["v1", "v0.3.0", "v0.4.0"] = Field(description="of the file's format")
    agents: tuple[Agent, ...] = Field(min_length=1, description="the HTTP services")
    filters: tuple[Filter, ...] = Field((), description="guardrails, rewriting, context")
    orchestrator: OrchestratorConfig = Field(OrchestratorConfig(), description="the decision")
    listeners: tuple[Listener, ...] = Field(min_length=1, description="where clients connect")
    limits: Limits = Field(Limits(), description="what one request may cost")
    observability: Observability = Field(Observability(), description="what is told")
    admin: Admin = Field(Admin(), description="health, metrics, status page")
    egress: Egress = Field(Egress(), description="beside a gateway: the way out")
    tracing: Tracing = Field(Tracing(), description="OpenTelemetry")
    envoy: OwnEnvoy = Field(OwnEnvoy(), description="your own parts of the Envoy configuration")
    deploy: Deploy = Field(Deploy(), description="the place that `render` renders for")
