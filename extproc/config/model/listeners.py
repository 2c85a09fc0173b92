"""`listeners`: the addresses clients talk to, and which agents each one offers."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from extproc.config.model.types import (
    Duration,
    FilePath,
    HeaderName,
    HeaderValue,
    Identifier,
    IpAddress,
    Names,
    Port,
    Section,
)


class ListenerTls(Section):
    """TLS towards clients; the files are read again when they change."""

    certificate: FilePath = Field(description="PEM file of the certificate chain")
    key: FilePath = Field(description="PEM file of the key")
    client_ca: FilePath | None = Field(
        None, description="CA file; clients must then have a certificate"
    )


class RuleMatch(Section):
    """What a request must look like; all that is named must match."""

    headers: dict[HeaderName, HeaderValue] = Field({}, description="exact values")
    path: str | None = Field(None, pattern=r"^/[!-~]*$", description="exact path")
    method: str | None = Field(None, pattern=r"^[A-Z]+$", description="exact method")


class Rule(Section):
    """A deterministic route (`agents`) or a limit (`allow`) before any strategy."""

    when: RuleMatch = Field(RuleMatch(), description="which requests")
    agents: tuple[Identifier, ...] | None = Field(None, min_length=1, description="the plan")
    allow: tuple[Identifier, ...] | None = Field(
        None, min_length=1, description="what may be chosen from"
    )


class ListenerAgent(Section):
    """An agent as one listener offers it."""

    id: Identifier = Field(description="of an agent of `agents`")
    description: str = Field("", description="what it is for: strategies decide by it")
    examples: Names = Field((), description="requests it should get; sharpens the decision")
    default: bool = Field(False, description="gets what nothing else fits; else the first one does")
    input_filters: Names = Field((), description="filters before this agent")
    output_filters: Names = Field((), description="filters of its answer")


class Listener(Section):
    """One address."""

    type: Literal["agent"] = Field("agent", description="only agent listeners do something")
    name: Identifier = Field(description="its name in headers, logs and metrics")
    address: IpAddress = Field("127.0.0.1", description="0.0.0.0 is said on purpose")
    port: Port = Field(description="0: any free one, printed when ready")
    tls: ListenerTls | None = Field(None, description="TLS towards clients")
    timeout: Duration = Field(timedelta(seconds=300), description="default of its agents' timeout")
    decision_timeout: Duration = Field(
        timedelta(seconds=30), description="filters and orchestrator together"
    )
    on_unavailable: Literal["reject", "default_agent"] = Field(
        "reject", description="when the processor cannot be reached"
    )
    mode: Literal["enforce", "observe"] = Field("enforce", description="observe: only record")
    input_filters: Names = Field((), description="filters before the decision")
    output_filters: Names = Field((), description="filters of every answer")
    rules: tuple[Rule, ...] = Field((), description="before any strategy; the first match wins")
    execution: Literal["sequential", "parallel"] = Field(
        "sequential", description="how the agents before the last one run"
    )
    on_step_error: Literal["fail", "skip"] = Field("fail", description="an earlier agent failed")
    insert: Literal["assistant", "system"] = Field(
        "assistant", description="role of earlier agents' answers"
    )
    agents: tuple[ListenerAgent, ...] = Field(min_length=1, description="the agents it offers")

    @property
    def default_agent(self) -> str:
        """The agent that gets what nothing else fits."""
        return next((agent.id for agent in self.agents if agent.default), self.agents[0].id)
