"""`orchestrator`: how an agent is chosen where no rule does."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from extproc.config.model.types import Duration, FilePath, HeaderName, Secret, Section, Url

Strategy = Literal["embedded", "embeddings", "model", "cascade"]


class Server(Section):
    """An OpenAI-compatible server."""

    url: Url = Field(description="base of the API; /v1 is added unless it ends in it")
    name: str = Field(min_length=1, description="model name")
    access_key: Secret | None = Field(None, description="sent as bearer token")
    timeout: Duration = Field(timedelta(seconds=5), description="of one decision, retry included")


class EmbeddingsServer(Server):
    """A server of `/v1/embeddings`."""


class ModelServer(Server):
    """A server of `/v1/chat/completions` that is asked to decide."""

    prompt_file: FilePath | None = Field(None, description="replaces our prompt")
    structured_output: Literal["auto", "json_schema", "none"] = Field(
        "auto", description="ask for JSON by schema"
    )


class Cache(Section):
    """Decisions remembered."""

    entries: int = Field(
        10_000, ge=0, le=10_000_000, description="most decisions kept; 0 turns it off"
    )
    ttl: Duration = Field(timedelta(minutes=10), description="how long one is kept")


class Session(Section):
    """How turns of one conversation are told to belong together."""

    header: HeaderName | None = Field(
        None, description="request header that names the conversation"
    )


class OrchestratorConfig(Section):
    """Strategy and its limits."""

    strategy: Strategy | None = Field(
        None, description="default: cascade where a server is named, else embedded"
    )
    model: ModelServer | None = Field(None, description="server for model and cascade")
    embeddings: EmbeddingsServer | None = Field(
        None, description="server for embeddings, and for a cascade without model"
    )
    min_confidence: float = Field(0.55, ge=0, le=1, description="below it, cascade asks on")
    max_agents: int = Field(3, ge=1, le=16, description="most agents of a plan")
    avoid_unavailable: bool = Field(False, description="leave out agents with no healthy host")
    on_error: Literal["default", "reject"] = Field("default", description="it cannot decide")
    on_none: Literal["default", "reject"] = Field("default", description="no agent fits")
    cache: Cache = Field(Cache(), description="decisions remembered")
    session: Session = Field(Session(), description="turns that belong together")

    @property
    def chosen_strategy(self) -> Strategy:
        """The strategy that is named, or else the default one."""
        named = self.model is not None or self.embeddings is not None
        return self.strategy or ("cascade" if named else "embedded")

    @property
    def asked(self) -> Literal["model", "embeddings"] | None:
        """The key of the server that the strategy asks, None where it asks none."""
        match self.chosen_strategy:
            case "embedded":
                return None
            case "cascade":
                return "embeddings" if self.model is None else "model"
            case named:
                return named
